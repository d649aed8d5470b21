import type { Clock } from './clock.ts'
import { withTimeout } from './timeout.ts'

/** The traffic that a drain window watches. */
export interface Traffic {
  /** Requests that are accepted and not completely answered. */
  readonly inFlight: number
  /** Open connections on the port; undefined where the platform cannot count them. */
  readonly openConnections: number | undefined
  /** `Clock.now()` of the latest application request. Probes and scrapes do not count. */
  readonly lastRequestAt: number
}

/** Something with work in flight when a shutdown begins: a server, a task worker. All targets drain in parallel. */
export interface DrainTarget {
  readonly name: string
  /** Called once, synchronously, when draining begins: announces the shutdown, stops claiming new work. */
  beginDrain(): void
  /** Present if clients need time to leave. The drain window lasts until the traffic of all targets is quiet. */
  traffic?(): Traffic
  /** Refuses new work. Resolves when the work in flight is done. */
  finish(): Promise<void>
  /** Called when `finish` timed out or failed: ends the remaining work and returns a name for each piece of it. */
  abort(): Promise<readonly string[]> | readonly string[]
}

/** Timeout of `DrainTarget.abort`, in ms. It is taken from `closeTimeoutMs`. */
const abortTimeoutMs = 2_000

/**
 * Waits for the work of a target, and aborts the rest when `finish` times out or fails. Never rejects.
 *
 * @param onError called with every failure
 * @returns the names of the aborted work
 */
export async function finishOrAbort(
  target: DrainTarget,
  timeoutMs: number,
  clock: Clock,
  onError: (cause: unknown) => void,
): Promise<readonly string[]> {
  try {
    const finish = Promise.try(() => target.finish()).then(() => true)
    if (await withTimeout(finish, timeoutMs, () => false, clock)) return []
  } catch (cause) {
    onError(cause)
  }
  const failOnTimeout = (): never => {
    throw new Error(`${target.name} did not abort within ${abortTimeoutMs} ms`)
  }
  try {
    return await withTimeout(
      Promise.try(() => target.abort()),
      abortTimeoutMs,
      failOnTimeout,
      clock,
    )
  } catch (cause) {
    onError(cause)
    return []
  }
}
