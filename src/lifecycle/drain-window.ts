import type { Clock } from './clock.ts'
import type { DrainTarget, Traffic } from './drain-target.ts'
import type { ShutdownReason, WindowEnd } from './states.ts'

export interface DrainWindowOptions {
  /**
   * Minimum length of the window, in ms: the time that the platform needs to take the instance out of its balancers.
   * Default 0.
   */
  readonly drainMinMs?: number
  /** The window ends after this time without an application request, in ms. Default 5,000. */
  readonly drainQuietMs?: number
  /** Maximum length of the window, in ms, regardless of the traffic and of `drainMinMs`. Default 20,000. */
  readonly drainMaxMs?: number
}

/** How often the traffic is polled, in ms. */
const pollIntervalMs = 100

/** Share of the time that polling may take. Counting many connections is slow, and blocks the event loop. */
const maxPollShare = 0.1

/**
 * Waits until the clients have left: at least `drainMinMs`, then until no connection is open and nothing is in
 * flight, or no application request came for `drainQuietMs`, and at most `drainMaxMs`.
 *
 * Two consecutive polls must find no connection, with no request between them. One poll is not enough, because
 * clients that open a connection for every request are invisible between two requests.
 *
 * A window that ends because no connection is left loses nothing: each client has closed its side, or received
 * `Connection: close` with its last response.
 */
export async function waitForDrain(
  targets: readonly DrainTarget[],
  reason: ShutdownReason,
  options: DrainWindowOptions,
  clock: Clock,
): Promise<WindowEnd> {
  const { drainMinMs = 0, drainMaxMs = 20_000 } = options
  // Ctrl-C at a terminal: close idle connections at once, finish only what is in flight.
  const drainQuietMs = reason === 'SIGINT' && drainMinMs === 0 ? 0 : (options.drainQuietMs ?? 5_000)
  const start = clock.now()
  let emptyPolls = 0
  let previousPollAt = start
  for (;;) {
    const pollAt = clock.now()
    const elapsed = pollAt - start
    const traffic = targets.flatMap((target) => target.traffic?.() ?? [])
    emptyPolls = isEmpty(traffic, previousPollAt) ? emptyPolls + 1 : 0
    previousPollAt = pollAt
    if (elapsed >= drainMinMs) {
      if (emptyPolls >= 2) return 'no connections'
      const lastRequestAt = Math.max(start, ...traffic.map((one) => one.lastRequestAt))
      if (pollAt - lastRequestAt >= drainQuietMs) return 'quiet'
    }
    if (elapsed >= drainMaxMs) return 'maximum'
    const pauseMs = Math.max(pollIntervalMs, (clock.now() - pollAt) / maxPollShare)
    await clock.sleep(Math.max(1, Math.min(pauseMs, drainMaxMs - elapsed)))
  }
}

function isEmpty(traffic: readonly Traffic[], since: number): boolean {
  return traffic.every(
    ({ inFlight, openConnections, lastRequestAt }) =>
      inFlight === 0 && openConnections === 0 && lastRequestAt < since,
  )
}
