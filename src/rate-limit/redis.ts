import { RedisConnection } from '../database/redis/connection.ts'
import { createScript, findCommands } from '../database/redis/script.ts'
import { withTimeout } from '../lifecycle/timeout.ts'
import type { Rate, RateLimiter, Verdict } from './rate.ts'

/** How long Redis may take to answer, in ms, because a request waits for it. */
const answerTimeoutMs = 100
/** How long Redis is not asked after a failure, in ms. Otherwise every request would wait for the timeout. */
const pauseMs = 1_000
const keyPrefix = 'tally:rate:'

/**
 * `gcra` of rate.ts, in one step on the server and by its clock, in microseconds. So instances share the quota, and their
 * clocks do not matter. A client that is not ahead needs no key, so its key expires.
 */
const script = createScript(`
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local window = tonumber(ARGV[1])
local arrival = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
local interval = window / tonumber(ARGV[2])
local next = arrival + interval
if next - now > window + interval / 2 then return { 0, math.floor(arrival - now) } end
redis.call('SET', KEYS[1], string.format('%.0f', next), 'PX', math.ceil((next - now) / 1000))
return { 1, math.floor(next - now) }
`)

export interface RedisRateLimiterOptions {
  readonly url: string
  readonly rate: Rate
  /**
   * Called for every request that was not checked, because Redis is unreachable, too slow, or refuses.
   *
   * @param error undefined while Redis is not asked after a failure
   */
  readonly onFailOpen: (error: unknown) => void
}

/** Creates a rate limiter in Redis: one quota for all instances. It fails open while Redis is unreachable. */
export function createRedisRateLimiter({ url, rate, onFailOpen }: RedisRateLimiterOptions): RateLimiter {
  const needs = { commands: [...findCommands([script]), 'EVALSHA'], keys: [keyPrefix] }
  const connection = new RedisConnection({ url, needs })
  const args = [String(rate.windowMs * 1_000), String(rate.quota)]
  let pausedUntil = 0

  return {
    async take(name) {
      let failure: unknown
      if (performance.now() >= pausedUntil) {
        try {
          const answer = connection.run(script, [`${keyPrefix}${name}`], args)
          return parseVerdict(await withTimeout(answer, answerTimeoutMs))
        } catch (error) {
          pausedUntil = performance.now() + pauseMs
          failure = error
        }
      }
      onFailOpen(failure)
      return undefined
    },
    close: () => void connection.close(),
  }
}

/** @throws Error when the answer is not one of the script */
function parseVerdict(answer: unknown): Verdict {
  if (!Array.isArray(answer) || answer.length !== 2) throw new Error('unexpected answer of the script')
  return { allowed: answer[0] === 1, aheadMs: Number(answer[1]) / 1_000 }
}
