import { type Clock, systemClock, withDeadline } from './clock.ts'
import type { Lifecycle } from './lifecycle.ts'

/** What answers in hand may take when everything else is closed, in ms. */
const lastAnswersMs = 500

export interface ServeLastOptions {
  readonly fetch: (request: Request) => Response | Promise<Response>
  /** Port to listen on; 0 takes a free one. */
  readonly port: number
  readonly hostname?: string
  /** Seconds a connection may be silent, 0 to 255. Default 120. */
  readonly idleTimeoutSeconds?: number
  readonly clock?: Clock
}

export interface LastServer {
  readonly port: number
  readonly url: URL
}

/**
 * Listens with Bun beside the service, for those who watch it: probes, scrapes, operators. Such a listener has
 * no part in the drain. Nobody's connection to it holds the window open, it answers until everything else is
 * closed, so that the last counts can be read, and it is closed last.
 *
 * @throws when the port cannot be had.
 */
export function serveLast(lifecycle: Lifecycle, options: ServeLastOptions): LastServer {
  const { fetch, port, hostname = '0.0.0.0', idleTimeoutSeconds = 120, clock = systemClock } = options
  const server = Bun.serve({
    port,
    hostname,
    // Said, for without `development` Bun lets a second process listen on the port, and each gets some of the scrapes.
    reusePort: false,
    idleTimeout: idleTimeoutSeconds,
    development: false,
    fetch,
  })
  lifecycle.onClose(
    'operations port',
    async () => {
      // Half a request head would hold stop() for seconds, and nobody is lost here who cannot ask again.
      await withDeadline(server.stop(), lastAnswersMs, clock)
      void server.stop(true)
    },
    { last: true },
  )
  return { port: server.port ?? port, url: server.url }
}
