import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { type Rate, remainingRequests, retryAfterMs, type Verdict } from '../../src/rate-limit/rate.ts'
import { createRedisRateLimiter } from '../../src/rate-limit/redis.ts'
import { haveRedis, type RedisServer, startRedis } from '../support/redis.ts'
import { until } from '../support/until.ts'

setDefaultTimeout(60_000)

describe.skipIf(!haveRedis())('createRedisRateLimiter', () => {
  let redis: RedisServer
  beforeAll(async () => {
    redis = await startRedis({ appendonly: false })
  })
  afterAll(() => redis.remove())

  /** The limiter of one instance, with a count of unchecked requests. */
  function createInstance(rate: Rate) {
    let unchecked = 0
    const limiter = createRedisRateLimiter({ url: redis.url, rate, onFailOpen: () => unchecked++ })
    return {
      take: async (client: string): Promise<Verdict | undefined> => await limiter.take(client),
      unchecked: () => unchecked,
      [Symbol.dispose]: limiter.close,
    }
  }

  const connected = (one: ReturnType<typeof createInstance>) =>
    until(() => one.take(`probe ${Math.random()}`))

  test('shares one quota between instances', async () => {
    const rate = { quota: 20, windowMs: 60_000 }
    using one = createInstance(rate)
    using two = createInstance(rate)
    await Promise.all([connected(one), connected(two)])
    const verdicts = await Promise.all(
      Array.from({ length: 50 }, (_, i) => (i % 2 === 0 ? one : two).take('shared')),
    )
    expect(verdicts.filter((verdict) => verdict?.allowed === true)).toHaveLength(20)
    expect(verdicts.filter((verdict) => verdict?.allowed === false)).toHaveLength(30)
    expect((await one.take('another'))?.allowed).toBe(true)
  })

  test('reports the same remaining requests and wait as the limiter in memory', async () => {
    const rate = { quota: 4, windowMs: 60_000 }
    using limiter = createInstance(rate)
    await connected(limiter)
    const verdicts: Verdict[] = []
    for (let i = 0; i < 5; i++)
      verdicts.push((await limiter.take('alone')) ?? { allowed: false, aheadMs: -1 })
    expect(verdicts.map(({ allowed }) => allowed)).toEqual([true, true, true, true, false])
    expect(verdicts.map((verdict) => remainingRequests(rate, verdict))).toEqual([3, 2, 1, 0, 0])
    const waitMs = retryAfterMs(rate, verdicts[4] as Verdict)
    expect(waitMs).toBeGreaterThan(10_000)
    expect(waitMs).toBeLessThanOrEqual(15_000)
  })

  test('fails open while the server is down, reports that, and limits again when it is back', async () => {
    const rate = { quota: 1, windowMs: 60_000 }
    using limiter = createInstance(rate)
    await connected(limiter)
    await redis.kill()
    const before = limiter.unchecked()
    for (let i = 0; i < 5; i++) expect(await limiter.take('patient')).toBeUndefined()
    expect(limiter.unchecked()).toBe(before + 5)
    await redis.start()
    await until(async () => (await limiter.take('patient'))?.allowed === false)
  })

  test('delays only the first request when the server hangs', async () => {
    using limiter = createInstance({ quota: 1, windowMs: 60_000 })
    await connected(limiter)
    redis.signal('SIGSTOP')
    try {
      const start = performance.now()
      for (let i = 0; i < 100; i++) expect(await limiter.take('patient')).toBeUndefined()
      // A hundred times the time limit of an answer would be twice that.
      expect(performance.now() - start).toBeLessThan(5_000)
    } finally {
      redis.signal('SIGCONT')
    }
  })
})
