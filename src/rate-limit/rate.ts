/** So many requests in so much time. */
export interface Rate {
  readonly quota: number
  readonly windowMs: number
}

/** What was said to one request of a client. */
export interface Verdict {
  readonly allowed: boolean
  /**
   * How far the client is ahead of the even pace, in ms, this request included when it was allowed: 0 for one who
   * has not asked for a while, up to the window.
   */
  readonly aheadMs: number
}

export interface RateLimiter {
  /**
   * Takes one request of a client's quota, or refuses it, which costs nothing.
   *
   * @returns undefined when it cannot be known: the request must be let pass.
   */
  take(client: string): Verdict | Promise<Verdict | undefined>
  close(): void
}

/**
 * The generic cell rate algorithm (ITU-T I.371 annex A, as virtual scheduling): every request moves the client's
 * theoretical arrival time on by window / quota; whoever is more than a window ahead is refused. So a whole quota may
 * come at once, then as much as the pace gives back; and all there is to remember is one time a client.
 *
 * @param arrival the client's theoretical arrival time, in ms; of an unknown client anything up to `now`
 * @returns the verdict, and the time to remember when it was allowed
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
  // Half an interval of grace: times are floating point, and a whole quota at once must not fail by roundings.
  return next - now <= windowMs + interval / 2
    ? { allowed: true, aheadMs: next - now, arrival: next }
    : { allowed: false, aheadMs: from - now, arrival: from }
}

/** Requests that a client may still send now. */
export function remainingRequests({ quota, windowMs }: Rate, { aheadMs }: Verdict): number {
  return Math.max(0, Math.floor(((windowMs - aheadMs) * quota) / windowMs + 0.5))
}

/** How long a client that was refused must wait until one request is allowed again, in ms. */
export function retryAfterMs({ quota, windowMs }: Rate, { aheadMs }: Verdict): number {
  return Math.max(0, aheadMs + windowMs / quota - windowMs)
}
