/** A number of requests in a time window. */
export interface Rate {
  readonly quota: number
  readonly windowMs: number
}

/** The decision about one request of a client. */
export interface Verdict {
  readonly allowed: boolean
  /**
   * How far the client is ahead of the even pace, in ms, including this request when it was allowed: from 0 for a
   * client without recent requests up to the window.
   */
  readonly aheadMs: number
}

export interface RateLimiter {
  /**
   * Takes one request from a client's quota, or refuses it. A refused request costs no quota.
   *
   * @returns undefined when the limiter is unreachable: fail open, the request must pass
   */
  take(client: string): Verdict | Promise<Verdict | undefined>
  close(): void
}

/**
 * The generic cell rate algorithm (ITU-T I.371 annex A, as virtual scheduling). Every request advances the client's
 * theoretical arrival time by window / quota, and a client that is more than a window ahead is refused. So a client may
 * send its whole quota at once, and then as much as the pace gives back. The state is one time per client.
 *
 * @param arrival the client's theoretical arrival time, in ms; for an unknown client any time up to `now`
 * @returns the verdict, and the client's new arrival time
 * @example gcra({ quota: 2, windowMs: 1_000 }, 0, 10_000) // allowed, 500 ms ahead, arrival 10_500
 */
export function gcra(
  { quota, windowMs }: Rate,
  arrival: number,
  now: number,
): Verdict & { readonly arrival: number } {
  const interval = windowMs / quota
  const from = Math.max(arrival, now)
  const next = from + interval
  // Half an interval of tolerance: times are floating point, and rounding must not refuse a part of the quota.
  return next - now <= windowMs + interval / 2
    ? { allowed: true, aheadMs: next - now, arrival: next }
    : { allowed: false, aheadMs: from - now, arrival: from }
}

/** The number of requests that a client may still send now. */
export function remainingRequests({ quota, windowMs }: Rate, { aheadMs }: Verdict): number {
  return Math.max(0, Math.floor(((windowMs - aheadMs) * quota) / windowMs + 0.5))
}

/** How long a refused client must wait until one request is allowed again, in ms. */
export function retryAfterMs({ quota, windowMs }: Rate, { aheadMs }: Verdict): number {
  return Math.max(0, aheadMs + windowMs / quota - windowMs)
}
