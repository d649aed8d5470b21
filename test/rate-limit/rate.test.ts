import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { createMemoryRateLimiter } from '../../src/rate-limit/memory.ts'
import { gcra, type Rate, remainingRequests, retryAfterMs, type Verdict } from '../../src/rate-limit/rate.ts'

const rates = fc.record({
  quota: fc.integer({ min: 1, max: 1_000 }),
  windowMs: fc.integer({ min: 1_000, max: 60_000 }),
})

/** How many of several simultaneous requests are allowed to a client with this arrival time. */
function burst(rate: Rate, requests: number, now: number, arrival = 0): { allowed: number; arrival: number } {
  let allowed = 0
  let time = arrival
  for (let i = 0; i < requests; i++) {
    const verdict = gcra(rate, time, now)
    if (verdict.allowed) allowed++
    time = verdict.arrival
  }
  return { allowed, arrival: time }
}

describe('gcra', () => {
  test('allows a whole quota at once and not one request more', () => {
    fc.assert(
      fc.property(rates, fc.double({ min: 0, max: 1e9, noNaN: true }), (rate, now) => {
        expect(burst(rate, rate.quota + 10, now).allowed).toBe(rate.quota)
      }),
    )
  })

  test('restores the whole quota after a window, and a part of it by the pace before that', () => {
    fc.assert(
      fc.property(rates, fc.integer({ min: 1, max: 1_000 }), (rate, earned) => {
        const { arrival } = burst(rate, rate.quota, 0)
        const some = Math.min(earned, rate.quota)
        const later = (some * rate.windowMs) / rate.quota
        expect(burst(rate, rate.quota, later, arrival).allowed).toBe(some)
      }),
    )
  })

  test('never allows more than the quota and the requests that the pace has restored', () => {
    fc.assert(
      fc.property(
        rates,
        fc.array(fc.double({ min: 0, max: 2_000, noNaN: true }), { maxLength: 300 }),
        (rate, gaps) => {
          let now = 0
          let arrival = 0
          let allowed = 0
          for (const gap of gaps) {
            now += gap
            const verdict = gcra(rate, arrival, now)
            arrival = verdict.arrival
            if (verdict.allowed) allowed++
          }
          expect(allowed).toBeLessThanOrEqual(rate.quota + (now * rate.quota) / rate.windowMs + 0.5)
        },
      ),
    )
  })

  test('reports the remaining requests and the wait after which one request is allowed', () => {
    fc.assert(
      fc.property(rates, fc.integer({ min: 0, max: 1_100 }), (rate, requests) => {
        const { allowed, arrival } = burst(rate, requests, 0)
        const next = gcra(rate, arrival, 0)
        if (next.allowed) expect(remainingRequests(rate, next)).toBe(rate.quota - allowed - 1)
        else {
          expect(remainingRequests(rate, next)).toBe(0)
          expect(gcra(rate, arrival, retryAfterMs(rate, next)).allowed).toBe(true)
          const interval = rate.windowMs / rate.quota
          expect(gcra(rate, arrival, retryAfterMs(rate, next) - 0.6 * interval).allowed).toBe(false)
        }
      }),
    )
  })
})

describe('createMemoryRateLimiter', () => {
  const rate: Rate = { quota: 2, windowMs: 1_000 }
  const allowed = (verdict: Verdict | Promise<Verdict | undefined>) => (verdict as Verdict).allowed

  test('counts each client separately', () => {
    const limiter = createMemoryRateLimiter(rate, 10, () => 0)
    const ask = (client: string) => allowed(limiter.take(client))
    expect([ask('a'), ask('a'), ask('a'), ask('b'), ask('b'), ask('b')]).toEqual([
      true,
      true,
      false,
      true,
      true,
      false,
    ])
  })

  test('drops the client without requests for the longest time when there are too many', () => {
    const limiter = createMemoryRateLimiter(rate, 3, () => 0)
    const exhaust = (client: string) => [1, 2, 3].map(() => allowed(limiter.take(client)))
    for (const client of ['a', 'b', 'c']) exhaust(client)
    expect(allowed(limiter.take('a'))).toBe(false)
    expect(exhaust('d')).toEqual([true, true, false])
    // b was dropped. a was not, because it sent another request.
    expect(allowed(limiter.take('a'))).toBe(false)
    expect(allowed(limiter.take('b'))).toBe(true)
  })
})
