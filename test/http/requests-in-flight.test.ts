import { describe, expect, test } from 'bun:test'
import { OwnHeaders } from '../../src/http/own-headers.ts'
import { Exchange, type WayIn } from '../../src/http/request-context.ts'
import { createInFlight } from '../../src/http/requests-in-flight.ts'
import { until } from '../support/until.ts'

const wayIn: WayIn = {
  ownHeaders: new OwnHeaders('instance-1'),
  settle: () => {},
  failed: () => new Response(null, { status: 500 }),
}
const exchangesOf = (...ids: string[]): Exchange[] => ids.map((id) => new Exchange('GET', id, wayIn))

describe('the requests in flight', () => {
  // Every order of leaving: the first, one in the middle, the last, the only one.
  for (const order of ['abc', 'acb', 'bac', 'bca', 'cab', 'cba']) {
    test(`are named from the oldest on while they leave in the order ${order}`, () => {
      const inFlight = createInFlight(60_000)
      const left = new Map(exchangesOf('a', 'b', 'c').map((exchange) => [exchange.requestId, exchange]))
      for (const exchange of left.values()) inFlight.add(exchange)
      for (const id of order) {
        inFlight.remove(left.get(id) as Exchange)
        left.delete(id)
        expect(inFlight.describe()).toEqual([...left.keys()].map((other) => `GET unmatched ${other}`))
        expect(inFlight.size).toBe(left.size)
      }
      inFlight.close()
    })
  }

  test('expire when their time is over, the oldest first, and those that stay are asked again', async () => {
    const inFlight = createInFlight(1)
    for (const exchange of exchangesOf('a', 'b', 'c')) inFlight.add(exchange)
    const expired: string[] = []
    inFlight.watch((exchange) => {
      expired.push(exchange.requestId)
      if (exchange.requestId !== 'b') inFlight.remove(exchange)
    })
    await until(() => expired.length >= 4)
    expect(expired.slice(0, 4)).toEqual(['a', 'b', 'c', 'b'])
    expect(inFlight.describe()).toEqual(['GET unmatched b'])
    inFlight.close()
  })
})
