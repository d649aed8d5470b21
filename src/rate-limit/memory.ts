import { gcra, type Rate, type RateLimiter } from './rate.ts'

/** Clients that are remembered, about 100 bytes each. */
const clientsDefault = 100_000

/**
 * Rates in the memory of this process. Of more clients than there is room for, those are forgotten that have not asked
 * for the longest time: they begin anew.
 *
 * @param now milliseconds that never go back
 */
export function createMemoryRateLimiter(
  rate: Rate,
  clientsMax = clientsDefault,
  now: () => number = () => performance.now(),
): RateLimiter {
  // In the order of their last request, for a Map keeps the order of insertion.
  const arrivals = new Map<string, number>()
  return {
    take(client) {
      const verdict = gcra(rate, arrivals.get(client) ?? 0, now())
      arrivals.delete(client)
      arrivals.set(client, verdict.arrival)
      if (arrivals.size > clientsMax) {
        const [oldest] = arrivals.keys()
        if (oldest !== undefined) arrivals.delete(oldest)
      }
      return verdict
    },
    close: () => arrivals.clear(),
  }
}
