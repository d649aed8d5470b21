import { gcra, type Rate, type RateLimiter } from './rate.ts'

/** The most clients whose rate is stored, about a hundred bytes each. */
const defaultMaxClients = 100_000

/**
 * Creates a rate limiter in the memory of this process. Above `maxClients` it drops the client that has sent no request
 * for the longest time; that client starts again with its whole quota.
 *
 * @param now milliseconds of a monotonic clock
 */
export function createMemoryRateLimiter(
  rate: Rate,
  maxClients = defaultMaxClients,
  now: () => number = () => performance.now(),
): RateLimiter {
  // In the order of the last request, because a Map keeps the order of insertion.
  const arrivals = new Map<string, number>()
  return {
    take(client) {
      const verdict = gcra(rate, arrivals.get(client) ?? 0, now())
      arrivals.delete(client)
      arrivals.set(client, verdict.arrival)
      if (arrivals.size > maxClients) {
        const [oldest] = arrivals.keys()
        if (oldest !== undefined) arrivals.delete(oldest)
      }
      return verdict
    },
    close: () => arrivals.clear(),
  }
}
