import { describe, expect, test } from 'bun:test'
import { loadShedding, type ShedReason } from '../../../src/http/middleware/load-shedding.ts'
import type { RequestContext } from '../../../src/http/request-context.ts'
import { appDeps } from '../../support/app-deps.ts'
import { listen } from '../../support/listening.ts'
import { parseMetrics } from '../../support/metrics.ts'
import { expectProblem } from '../../support/problems.ts'
import { connectRaw } from '../../support/raw-connection.ts'
import { until } from '../../support/until.ts'

/** Load shedding with a manual clock and manual turns of the event loop. */
function createManual(maxLagMs = 100) {
  let time = 1_000
  let workedMs = 0
  let endTurn = (): void => {}
  let inFlight = 1
  const shed: ShedReason[] = []
  const check = loadShedding({
    inFlight: () => inFlight,
    maxInFlight: 3,
    maxLagMs,
    onShed: (reason) => shed.push(reason),
    afterTurn: (callback) => {
      endTurn = callback
    },
    now: () => time,
    cpuMs: () => workedMs,
  })
  const isAccepted = (): boolean =>
    check(new Request('http://a/'), { startedAt: time } as RequestContext) === undefined
  return {
    shed,
    setInFlight: (count: number) => {
      inFlight = count
    },
    /** One turn with many ready requests. Each accepted one takes `ms`. Returns how many were accepted. */
    turn(requests: number, ms: number, workMs = ms): number {
      let accepted = 0
      for (let i = 0; i < requests; i++)
        if (isAccepted()) {
          accepted++
          time += ms
          workedMs += workMs
        }
      endTurn()
      return accepted
    },
    pause: (ms: number) => {
      time += ms
    },
  }
}

describe('requests in flight', () => {
  test('above the limit are shed, and accepted again below it', () => {
    const { turn, shed, setInFlight } = createManual()
    setInFlight(3)
    expect(turn(1, 1)).toBe(1)
    setInFlight(4)
    expect(turn(1, 1)).toBe(0)
    setInFlight(2)
    expect(turn(1, 1)).toBe(1)
    expect(shed).toEqual(['in_flight'])
  })
})

describe('an event loop that lags', () => {
  test('sheds no request of a single burst, even a long one', () => {
    const { turn, pause } = createManual()
    expect(turn(300, 1)).toBe(300)
    pause(500)
    expect(turn(300, 1)).toBe(300)
  })

  test('sheds nothing while every turn is shorter than the limit', () => {
    const { turn } = createManual()
    for (let i = 0; i < 50; i++) expect(turn(90, 1)).toBe(90)
  })

  test('sheds requests beyond 100 ms in the second long turn, then beyond 10 ms in each turn', () => {
    const { turn, shed } = createManual()
    const accepted = Array.from({ length: 6 }, () => turn(300, 1))
    expect(accepted).toEqual([300, 101, 11, 11, 11, 11])
    expect(new Set(shed)).toEqual(new Set(['event_loop']))
  })

  test('sheds nothing while another process holds the processor, even for long', () => {
    const { turn } = createManual()
    for (let i = 0; i < 20; i++) expect(turn(300, 1, 0.3)).toBe(300)
  })

  test('continues to shed after a short pause of a flood, and stops after a second without shedding', () => {
    const { turn, pause } = createManual()
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

  test('notices within ten seconds that clients which retry at once are few enough to serve', () => {
    const { turn, pause } = createManual()
    for (let i = 0; i < 3; i++) turn(300, 1)
    // Forty clients that wait for each other: a turn of 40 ms would be enough, and would not cause shedding.
    expect(turn(40, 1)).toBe(11)
    for (let ms = 0; ms < 10_000; ms += 500) {
      pause(500)
      turn(40, 1)
    }
    for (let i = 0; i < 100; i++) expect(turn(40, 1)).toBe(40)
  })

  test('tries a larger budget for one turn only while there are too many clients', () => {
    const { turn, pause } = createManual()
    for (let i = 0; i < 3; i++) turn(300, 1)
    const accepted = new Map<number, number>()
    for (let i = 0; i < 100; i++) {
      pause(300)
      const count = turn(300, 1)
      accepted.set(count, (accepted.get(count) ?? 0) + 1)
    }
    expect([...accepted.keys()].toSorted()).toEqual([11, 51])
    expect(accepted.get(51)).toBeLessThanOrEqual(4)
  })

  test('sheds nothing with the limit 0', () => {
    const { turn } = createManual(0)
    for (let i = 0; i < 10; i++) expect(turn(300, 1)).toBe(300)
  })
})

describe('a service with too many requests in flight', () => {
  test('refuses requests with 503, still answers probes and metrics, and recovers', async () => {
    const held = Promise.withResolvers<undefined>()
    const store = { ...appDeps().store, get: () => held.promise }
    await using server = listen({ store, overload: { maxInFlight: 2, maxLagMs: 0 } })
    const requests = [fetch(`${server.url}/data/one`), fetch(`${server.url}/data/two`)]
    await until(() => server.inFlight() === 2)

    using third = await connectRaw(server.port)
    await third.send(
      'POST /payload HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{"text":',
    )
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

    held.resolve(undefined)
    for (const response of requests) expect((await response).status).toBe(404)
    expect((await fetch(`${server.url}/docs`)).status).toBe(200)
  })
})
