import { type Clock, systemClock } from './clock.ts'

/** The error of `withTimeout` without a fallback. */
export class TimeoutError extends Error {
  override readonly name = 'TimeoutError'

  constructor(readonly timeoutMs: number) {
    super(`timed out after ${timeoutMs} ms`)
  }
}

const expired = Symbol('expired')

/**
 * Waits for a promise, but not longer than `timeoutMs`. The work behind the promise continues after a timeout, because
 * JavaScript cannot stop it; `onTimeout` is the place to abort it.
 *
 * @param timeoutMs in ms; a negative value counts as 0
 * @param onTimeout called at the timeout; returns the fallback, or throws. Default: throws `TimeoutError`.
 * @throws what the promise rejects with, or what `onTimeout` throws
 * @example await withTimeout(store.ping(), 500) // throws TimeoutError after 500 ms
 * @example await withTimeout(cache.get(key), 50, () => undefined) // undefined after 50 ms
 */
export async function withTimeout<Value, Fallback = never>(
  promise: Promise<Value>,
  timeoutMs: number,
  onTimeout: () => Fallback | Promise<Fallback> = () => {
    throw new TimeoutError(timeoutMs)
  },
  clock: Clock = systemClock,
): Promise<Value | Fallback> {
  // A rejection after the timeout has no handler left. It must not end the process.
  promise.catch(() => {})
  // Cancels the timer, which would otherwise keep the process alive.
  const settled = new AbortController()
  try {
    const timeout = clock.sleep(Math.max(0, timeoutMs), settled.signal).then((): typeof expired => expired)
    const first = await Promise.race([promise, timeout])
    return first === expired ? await onTimeout() : first
  } finally {
    settled.abort()
  }
}
