import { describe, expect, test } from 'bun:test'
import { Exchange } from '../../src/http/exchange.ts'
import { createInFlight } from '../../src/http/in-flight.ts'
import { OwnHeaders } from '../../src/http/own-headers.ts'
import { until } from '../support/until.ts'

const ownHeaders = new OwnHeaders('instance-1')
const exchangesOf = (...ids: string[]): Exchange[] => ids.map((id) => new Exchange('GET', id, ownHeaders))

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

  test('expire together when their time is over, those without a handler at work left alone', async () => {
    const inFlight = createInFlight(1)
    const exchanges = exchangesOf('a', 'b', 'c')
    const expired: string[] = []
    for (const exchange of exchanges) {
      inFlight.add(exchange)
      if (exchange.requestId === 'b') continue
      exchange.expire = () => {
        expired.push(exchange.requestId)
        inFlight.remove(exchange)
      }
    }
    await until(async () => expired.length === 2)
    expect(expired).toEqual(['a', 'c'])
    expect(inFlight.describe()).toEqual(['GET unmatched b'])
    inFlight.close()
  })
})
