import { type Clock, systemClock } from './clock.ts'
import { countOpenConnections } from './connections.ts'
import { type FetchHandler, withConnectionClose, withRequestedClose } from './fetch-handler.ts'
import type { Lifecycle } from './lifecycle.ts'
import { disableDeferAccept, drainAcceptQueue } from './listener.ts'
import { type Certificate, PortServers } from './port-servers.ts'

export interface ServeOptions {
  readonly fetch: FetchHandler
  /** Paths for whose requests `fetch` is called with `isLiteral`. Default: none. */
  readonly literalPaths?: readonly string[]
  /** Port to listen on; 0 takes a free one. */
  readonly port: number
  /** Address to listen on. Default 0.0.0.0. */
  readonly hostname?: string
  /** Lets several processes listen on one port (SO_REUSEPORT). Default false. */
  readonly reusePort?: boolean
  /**
   * Seconds that a connection may be silent, 0 to 255. Keep it above the idle timeout of the balancer, so that the
   * balancer closes first, and above the deadline of any handler: Bun closes a connection whose handler is silent for
   * longer. Default 120.
   */
  readonly idleTimeoutSeconds?: number
  /** Default: plain HTTP. */
  readonly certificate?: Certificate | undefined
  /** Size of a body above which Bun itself responds with a bare 413, in bytes. Default: no limit. */
  readonly maxBodyBytes?: number
  /**
   * The most that the kernel may receive ahead for one connection, in bytes. With half of Bun's own read buffer or less, a large
   * body from a fast client does not delay other connections. A connection then carries at most this much per round trip. Default: the
   * kernel's own limit.
   */
  readonly receiveBufferBytes?: number
  /** True for a request that does not keep the drain window open: a probe, a scrape. Default: no request. */
  readonly isProbe?: (request: Request) => boolean
  /** Names the requests in flight, for the log line about aborted requests. */
  readonly describeInFlight?: () => readonly string[]
  readonly clock?: Clock
}

/** A server whose shutdown is part of a lifecycle. */
export interface BoundServer {
  readonly port: number
  readonly url: URL
  /** Requests that are accepted and not completely answered. */
  readonly inFlight: number
  /** Application requests that were accepted while draining. */
  readonly servedWhileDraining: number
  /** The address of the client; undefined when its connection is closed. */
  remoteAddress(request: Request): string | undefined
  /**
   * Uses another certificate for new connections. Nothing on open connections is lost.
   *
   * @returns resolves when the last connection with the previous certificate is closed
   * @throws when the certificate is invalid or does not match its key; then nothing has changed
   */
  reloadCertificate(certificate: Certificate): Promise<void>
}

/** How long a client may take from the accepted connection to the first byte of its request with TLS, in ms. */
const handshakeMs = 250

/**
 * Listens with Bun and adds the server to a lifecycle.
 *
 * Until the shutdown, one comparison per request is all that is added. When draining begins, `server.reload` installs a
 * handler that responds the same and adds `Connection: close`, also on connections that are open already. Only after
 * the drain window does the server refuse: the accept queue is drained, then `server.stop()` closes idle connections
 * and waits for the rest.
 *
 * @throws when the port is not available, or the certificate is invalid
 * @example const server = serve(lifecycle, { port: 8000, fetch: (request) => app.fetch(request) })
 */
export function serve(lifecycle: Lifecycle, options: ServeOptions): BoundServer {
  const { certificate, clock = systemClock, isProbe = () => false, describeInFlight } = options
  const settings = {
    port: options.port,
    hostname: options.hostname ?? '0.0.0.0',
    reusePort: options.reusePort ?? false,
    idleTimeout: options.idleTimeoutSeconds ?? 120,
    maxRequestBodySize: options.maxBodyBytes ?? Number.MAX_SAFE_INTEGER,
    certificate,
    literalPaths: options.literalPaths ?? [],
    receiveBufferBytes: options.receiveBufferBytes,
  }
  const fetch = withRequestedClose(options.fetch)
  const servers = new PortServers(settings, fetch, clock)
  const { port, url } = servers
  const served = { lastRequestAt: Number.NEGATIVE_INFINITY, whileDraining: 0 }

  const closingFetch = withConnectionClose(fetch)
  const drainingFetch: FetchHandler = (request, server, isLiteral) => {
    if (!isProbe(request)) {
      served.lastRequestAt = clock.now()
      served.whileDraining++
    }
    return closingFetch(request, server, isLiteral)
  }

  lifecycle.addTarget({
    name: 'server',
    beginDrain() {
      servers.setHandler(drainingFetch)
      disableDeferAccept(port)
    },
    traffic: () => ({
      inFlight: servers.inFlight,
      openConnections: countOpenConnections(port),
      lastRequestAt: served.lastRequestAt,
    }),
    async finish() {
      await drainAcceptQueue(port, clock)
      if (certificate !== undefined) await clock.sleep(handshakeMs)
      await servers.stop()
    },
    abort() {
      // An incomplete request head holds stop() too. It is not a request, so nothing is lost.
      const { inFlight } = servers
      const names = inFlight === 0 ? [] : nameRequests(inFlight, describeInFlight?.() ?? [])
      servers.abort()
      return names
    },
  })

  return {
    port,
    url,
    get inFlight() {
      return servers.inFlight
    },
    get servedWhileDraining() {
      return served.whileDraining
    },
    remoteAddress: (request) => servers.remoteAddress(request),
    reloadCertificate: (next) => servers.reloadCertificate(next),
  }
}

/** One name for each request, also for those that have none. */
function nameRequests(count: number, names: readonly string[]): string[] {
  return Array.from({ length: Math.max(count, names.length) }, (_, i) => names[i] ?? 'unnamed request')
}
