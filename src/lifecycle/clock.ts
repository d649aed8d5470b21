/**
 * Time as the lifecycle sees it, so that a test can own it.
 * `now` is monotonic, in milliseconds, with an arbitrary origin.
 */
export interface Clock {
  now(): number
  /** Resolves after `ms` milliseconds, or as soon as `signal` is aborted; never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

/** The process's own monotonic clock. */
export const systemClock: Clock = {
  now: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, ms)
      signal?.addEventListener('abort', () => {
        clearTimeout(timer)
        resolve()
      })
    }),
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
  // Without this the timer of a shutdown that took 1 s would keep the process alive for 30.
  const settled = new AbortController()
  try {
    return await Promise.race([
      work,
      clock.sleep(Math.max(0, ms), settled.signal).then((): typeof timedOut => timedOut),
    ])
  } finally {
    settled.abort()
  }
}
