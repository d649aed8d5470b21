import type { Clock } from './clock.ts'
import type { DrainTarget, ShutdownReason } from './lifecycle.ts'

export interface DrainWindowOptions {
  /**
   * How long a draining instance serves at least, in ms: the time the platform needs to take it out of
   * its balancers. Default 0.
   */
  readonly drainMinMs?: number
  /** The window ends when no application request came for so long, in ms. Default 5,000. */
  readonly drainQuietMs?: number
  /** The window ends at the latest after so long, in ms, whatever the traffic and `drainMinMs`. Default 20,000. */
  readonly drainMaxMs?: number
}

/** What ended a drain window. */
export type WindowEnd = 'no connections' | 'quiet' | 'maximum'

/** How often the traffic is looked at, in ms. */
const pollMs = 100

/**
 * The part of the time that looking may take: with 10,000 connections one look costs tens of
 * milliseconds, in which nobody is served.
 */
const lookShareMax = 0.1

/**
 * Waits until clients have left: at least `drainMinMs`, then until no connection is open and nothing is in
 * flight, or no application request came for `drainQuietMs`, and at the latest until `drainMaxMs`.
 * That nobody is there must be seen twice, with no request in between: clients that come with a new
 * connection each time are there too.
 *
 * Measured on this runtime with kept-alive clients: closing at once lost requests in 50 of 50 shutdowns under
 * load; a window that ends only when the connections are gone lost none, for the client is always the one
 * who was told.
 */
export async function drainWindow(
  targets: readonly DrainTarget[],
  reason: ShutdownReason,
  options: DrainWindowOptions,
  clock: Clock,
): Promise<WindowEnd> {
  const { drainMinMs = 0, drainMaxMs = 20_000 } = options
  // Somebody at a terminal wants to be done: what is idle may be closed at once, what runs is finished.
  const drainQuietMs = reason === 'SIGINT' && drainMinMs === 0 ? 0 : (options.drainQuietMs ?? 5_000)
  const start = clock.now()
  let emptyLooks = 0
  let previousLookAt = start
  for (;;) {
    const lookedAt = clock.now()
    const elapsed = lookedAt - start
    const traffic = targets.flatMap((target) => target.traffic?.() ?? [])
    const empty = traffic.every(
      ({ inFlight, openConnections, lastRequestAt }) =>
        inFlight === 0 && openConnections === 0 && lastRequestAt < previousLookAt,
    )
    emptyLooks = empty ? emptyLooks + 1 : 0
    previousLookAt = lookedAt
    if (elapsed >= drainMinMs) {
      if (emptyLooks >= 2) return 'no connections'
      const last = Math.max(start, ...traffic.map(({ lastRequestAt }) => lastRequestAt))
      if (lookedAt - last >= drainQuietMs) return 'quiet'
    }
    if (elapsed >= drainMaxMs) return 'maximum'
    const pauseMs = Math.max(pollMs, (clock.now() - lookedAt) / lookShareMax)
    await clock.sleep(Math.max(1, Math.min(pauseMs, drainMaxMs - elapsed)))
  }
}
