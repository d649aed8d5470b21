import { type Clock, systemClock } from './clock.ts'
import { type FetchHandler, handleLiterally, withRequestedClose } from './fetch-handler.ts'
import type { Lifecycle } from './lifecycle.ts'
import { withTimeout } from './timeout.ts'

/** How long requests in flight may take after everything else is closed, in ms. */
const finishTimeoutMs = 500

export interface ServeAdminOptions {
  readonly fetch: FetchHandler
  /** Paths for whose requests `fetch` is called with `isLiteral`. Default: none. */
  readonly literalPaths?: readonly string[]
  /** Port to listen on; 0 takes a free one. */
  readonly port: number
  /** Address to listen on. Default 0.0.0.0. */
  readonly hostname?: string
  /** Seconds that a connection may be silent, 0 to 255. Default 120. */
  readonly idleTimeoutSeconds?: number
  readonly clock?: Clock
}

export interface AdminServer {
  readonly port: number
  readonly url: URL
}

/**
 * Listens with Bun on a second port, for probes, scrapes and operators. The admin server has no part in the drain:
 * its connections do not keep the window open. It responds until everything else is closed, so that the final counts
 * can be scraped, and is closed last.
 *
 * @throws when the port is not available
 * @example serveAdmin(lifecycle, { port: 9090, fetch: (request) => adminApp.fetch(request) })
 */
export function serveAdmin(lifecycle: Lifecycle, options: ServeAdminOptions): AdminServer {
  const { fetch, port, hostname = '0.0.0.0', idleTimeoutSeconds = 120, clock = systemClock } = options
  const server = Bun.serve({
    port,
    hostname,
    // Explicit, because with `development: false` Bun shares the port with other processes, which would split scrapes.
    reusePort: false,
    idleTimeout: idleTimeoutSeconds,
    development: false,
    ...handleLiterally(withRequestedClose(fetch), options.literalPaths ?? []),
  })
  lifecycle.onClose(
    'admin server',
    async () => {
      // An incomplete request head would hold stop() for seconds. Clients of this port can ask again.
      await withTimeout(server.stop(), finishTimeoutMs, () => {}, clock)
      void server.stop(true)
    },
    { last: true },
  )
  return { port: server.port ?? port, url: server.url }
}
