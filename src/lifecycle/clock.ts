/**
 * Time as the lifecycle sees it, so that a test can own it.
 * `now` is monotonic, in milliseconds, with an arbitrary origin.
 */
export interface Clock {
  now(): number
  /** Resolves after `ms` milliseconds; never rejects. */
  sleep(ms: number): Promise<void>
}

/** The process's own monotonic clock. */
export const systemClock: Clock = {
  now: () => performance.now(),
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
}

/** What `withDeadline` answers when the time was up first. */
export const timedOut: unique symbol = Symbol('timed out')

/**
 * Waits for `work`, but not longer than `ms` milliseconds. The work is not stopped: nothing in the
 * platform can do that; the caller decides what giving up means. Rejects as `work` does.
 *
 * @example await withDeadline(server.stop(), 30_000, clock) // undefined, or timedOut
 */
export async function withDeadline<T>(
  work: Promise<T>,
  ms: number,
  clock: Clock,
): Promise<T | typeof timedOut> {
  // A late rejection has nobody left to hear it; it must not take the process down.
  work.catch(() => {})
  return Promise.race([work, clock.sleep(Math.max(0, ms)).then((): typeof timedOut => timedOut)])
}
