/** The error of `withTimeout` without a fallback. */
export class TimeoutError extends Error {
  override readonly name = 'TimeoutError'
  constructor(readonly timeoutMs: number) {
    super(`no answer within ${timeoutMs} ms`)
  }
}

/**
 * Waits for a promise, but not longer than `timeoutMs`. The work behind the promise goes on after a timeout, because
 * JavaScript cannot stop it.
 *
 * The same as `withTimeout` of the lifecycle, which this folder may not import.
 *
 * @param onTimeout returns the fallback, or throws. Default: throws TimeoutError.
 * @throws what the promise rejects with, or what `onTimeout` throws
 */
export async function withTimeout<Value, Fallback = never>(
  promise: Promise<Value>,
  timeoutMs: number,
  onTimeout: () => Fallback = () => {
    throw new TimeoutError(timeoutMs)
  },
): Promise<Value | Fallback> {
  const { promise: timeout, resolve, reject } = Promise.withResolvers<Fallback>()
  const timer = setTimeout(() => {
    try {
      resolve(onTimeout())
    } catch (error) {
      reject(error)
    }
  }, timeoutMs)
  try {
    return await Promise.race([promise, timeout])
  } finally {
    clearTimeout(timer)
  }
}
