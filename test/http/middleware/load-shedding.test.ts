import { describe, expect, test } from 'bun:test'
import { overload, type ShedReason } from '../../../src/http/middleware/load-shedding.ts'
import type { Exchange } from '../../../src/http/request-context.ts'
import { listen } from '../../support/listening.ts'
import { parseMetrics } from '../../support/metrics.ts'
import { expectProblem } from '../../support/problems.ts'
import { connectRaw } from '../../support/raw-connection.ts'
import { until } from '../../support/until.ts'

/** A gate whose clock, and whose turns of the event loop, are moved by hand. */
function gateByHand(lateMs = 100) {
  let time = 1_000
  let worked = 0
  let endTurn = (): void => {}
  let inFlight = 1
  const shed: ShedReason[] = []
  const gate = overload({
    inFlight: () => inFlight,
    inFlightMax: 3,
    lateMs,
    onShed: (reason) => shed.push(reason),
    afterTurn: (callback) => {
      endTurn = callback
    },
    now: () => time,
    workedMs: () => worked,
  })
  const ask = (): boolean => gate(new Request('http://a/'), { startedAt: time } as Exchange) === undefined
  return {
    shed,
    setInFlight: (count: number) => {
      inFlight = count
    },
    /** One turn in which so many requests are ready, each of which takes so long and works; how many were let in. */
    turn(requests: number, ms: number, workMs = ms): number {
      let letIn = 0
      for (let i = 0; i < requests; i++)
        if (ask()) {
          letIn++
          time += ms
          worked += workMs
        }
      endTurn()
      return letIn
    },
    pause: (ms: number) => {
      time += ms
    },
  }
}

describe('requests in flight', () => {
  test('above their bound are shed, and let in again below it', () => {
    const { turn, shed, setInFlight } = gateByHand()
    setInFlight(3)
    expect(turn(1, 1)).toBe(1)
    setInFlight(4)
    expect(turn(1, 1)).toBe(0)
    setInFlight(2)
    expect(turn(1, 1)).toBe(1)
    expect(shed).toEqual(['in_flight'])
  })
})

describe('an event loop that is behind', () => {
  test('sheds nothing of one burst, however long it takes', () => {
    const { turn, pause } = gateByHand()
    expect(turn(300, 1)).toBe(300)
    pause(500)
    expect(turn(300, 1)).toBe(300)
  })

  test('sheds nothing as long as no turn takes that long', () => {
    const { turn } = gateByHand()
    for (let i = 0; i < 50; i++) expect(turn(90, 1)).toBe(90)
  })

  test('sheds what is beyond 100 ms in the second long turn, then what is beyond 10 ms in each', () => {
    const { turn, shed } = gateByHand()
    const letIn = Array.from({ length: 6 }, () => turn(300, 1))
    expect(letIn).toEqual([300, 101, 11, 11, 11, 11])
    expect(new Set(shed)).toEqual(new Set(['event_loop']))
  })

  test('sheds nothing while somebody else has its processor, however long that lasts', () => {
    const { turn } = gateByHand()
    for (let i = 0; i < 20; i++) expect(turn(300, 1, 0.3)).toBe(300)
  })

  test('goes on shedding through a pause of a flood, and lets everything in again after a second without', () => {
    const { turn, pause } = gateByHand()
    for (let i = 0; i < 3; i++) turn(300, 1)
    for (const ms of [50, 500]) {
      pause(ms)
      expect(turn(1, 1)).toBe(1)
      expect(turn(300, 1)).toBe(11)
    }
    pause(500)
    expect(turn(1, 1)).toBe(1)
    pause(501)
    expect(turn(300, 1)).toBe(300)
  })

  test('finds out within ten seconds when clients who ask again and again are few enough to serve', () => {
    const { turn, pause } = gateByHand()
    for (let i = 0; i < 3; i++) turn(300, 1)
    // Forty clients that wait for each other: 40 ms a turn would do, and never made it shed.
    expect(turn(40, 1)).toBe(11)
    for (let ms = 0; ms < 10_000; ms += 500) {
      pause(500)
      turn(40, 1)
    }
    for (let i = 0; i < 100; i++) expect(turn(40, 1)).toBe(40)
  })

  test('and tries that for one turn only as long as they are too many', () => {
    const { turn, pause } = gateByHand()
    for (let i = 0; i < 3; i++) turn(300, 1)
    const letIn = new Map<number, number>()
    for (let i = 0; i < 100; i++) {
      pause(300)
      const count = turn(300, 1)
      letIn.set(count, (letIn.get(count) ?? 0) + 1)
    }
    expect([...letIn.keys()].toSorted()).toEqual([11, 51])
    expect(letIn.get(51)).toBeLessThanOrEqual(4)
  })

  test('sheds nothing when it is told never to', () => {
    const { turn } = gateByHand(0)
    for (let i = 0; i < 10; i++) expect(turn(300, 1)).toBe(300)
  })
})

describe('a service that has more in flight than it may', () => {
  const half =
    'POST /payload HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{"text":'

  test('refuses with 503 before the body has come, answers probes and metrics, and takes requests again', async () => {
    await using server = listen({ overload: { inFlightMax: 2, lateMs: 0 } })
    {
      using one = await connectRaw(server.port)
      using two = await connectRaw(server.port)
      await Promise.all([one.send(half), two.send(half)])
      await until(() => server.inFlight() === 2)

      using third = await connectRaw(server.port)
      await third.send(half)
      const refused = await third.next()
      expect({ status: refused?.status, wait: refused?.headers.get('retry-after') }).toEqual({
        status: 503,
        wait: '1',
      })

      await expectProblem(await fetch(`${server.url}/data`), 503, 'overloaded')
      for (const path of ['/health', '/ready', '/metrics'])
        expect((await fetch(server.url + path)).status).toBe(200)
      const scrape = parseMetrics(await (await fetch(`${server.url}/metrics`)).text())
      expect(scrape.get('api_requests_shed_total{reason="in_flight"}')).toBe(2)
    }
    await until(async () => (await fetch(`${server.url}/docs`)).status === 200)
  })
})
