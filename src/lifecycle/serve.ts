import { type Clock, systemClock } from './clock.ts'
import { openConnections } from './connections.ts'
import type { DrainTarget, Lifecycle } from './lifecycle.ts'
import { acceptSilentConnections, emptyAcceptQueue } from './listener.ts'
import { type Certificate, type FetchHandler, lastAnswer, openPort } from './port-servers.ts'

export interface ServeOptions {
  readonly fetch: FetchHandler
  /** Port to listen on; 0 takes a free one. */
  readonly port: number
  readonly hostname?: string
  /** Lets several processes listen on one port (SO_REUSEPORT). Default false. */
  readonly reusePort?: boolean
  /**
   * Seconds a connection may be silent, 0 to 255. Keep it above the balancer's, so that the balancer is
   * the one to close, and above any handler's deadline: Bun cuts a handler that is silent for longer.
   * Default 120.
   */
  readonly idleTimeoutSeconds?: number
  /** Speaks TLS with it. Default: plain HTTP. */
  readonly certificate?: Certificate | undefined
  /** Bytes of a body above which Bun itself answers a bare 413. Default: no limit here. */
  readonly bodyBytesMax?: number
  /**
   * Bytes that the kernel may receive ahead for one connection. Below 256 KiB a large body that comes fast does not
   * hold up other connections; a connection then carries at most so much a round trip. Default: the kernel's own.
   */
  readonly receiveBufferBytes?: number
  /** True for a request that must not keep the drain window open: a probe, a scrape. Default: none is. */
  readonly isBackground?: (request: Request) => boolean
  /** Names the requests in flight, for the log line about what had to be cut. */
  readonly describeInFlight?: () => readonly string[]
  readonly clock?: Clock
}

export interface BoundServer {
  readonly port: number
  readonly url: URL
  /** Requests accepted and not yet answered completely. */
  readonly inFlight: number
  /** Application requests accepted since draining began. */
  readonly servedWhileDraining: number
  /** The address that a request came from; undefined when its connection is gone. */
  peerOf(request: Request): string | undefined
  /**
   * Speaks TLS with another certificate on new connections; nothing of what is open is lost.
   *
   * @returns resolves when the last connection with the certificate before it is gone
   * @throws when the certificate is none, or does not fit its key: then nothing has changed
   */
  renew(certificate: Certificate): Promise<void>
}

/** What a connection may take from being accepted to the first byte of its request when it speaks TLS, in ms. */
const handshakeMs = 250

/**
 * Listens with Bun and binds the server to a lifecycle.
 *
 * Until the shutdown this adds nothing to a request: the handler given is the handler that Bun calls.
 * When draining begins, `server.reload` swaps a handler in that answers the same and adds
 * `Connection: close`; it also holds for connections that are open already, whose next request it serves.
 * Only when the drain window is over does the server refuse: the accept queue is emptied, then
 * `server.stop()` closes what is idle and waits for the rest.
 *
 * @throws when the port cannot be had.
 */
export function serve(lifecycle: Lifecycle, options: ServeOptions): BoundServer {
  const { fetch, clock = systemClock, isBackground = () => false, describeInFlight } = options
  let lastRequestAt = Number.NEGATIVE_INFINITY
  let servedWhileDraining = 0

  const settings = {
    port: options.port,
    hostname: options.hostname ?? '0.0.0.0',
    reusePort: options.reusePort ?? false,
    idleTimeout: options.idleTimeoutSeconds ?? 120,
    maxRequestBodySize: options.bodyBytesMax ?? Number.MAX_SAFE_INTEGER,
    certificate: options.certificate,
    receiveBufferBytes: options.receiveBufferBytes,
  }
  const servers = openPort(settings, fetch, clock)
  const { port } = servers

  const lastFetch = lastAnswer(fetch)
  const drainingFetch: FetchHandler = (request, server) => {
    if (!isBackground(request)) {
      lastRequestAt = clock.now()
      servedWhileDraining++
    }
    return lastFetch(request, server)
  }

  const target: DrainTarget = {
    name: 'server',
    beginDrain() {
      servers.answerWith(drainingFetch)
      acceptSilentConnections(port)
    },
    traffic: () => ({
      inFlight: servers.inFlight,
      openConnections: openConnections(port),
      lastRequestAt,
    }),
    async finish() {
      await emptyAcceptQueue(port, clock)
      if (options.certificate !== undefined) await clock.sleep(handshakeMs)
      await servers.stop()
    },
    cut() {
      // A client that never finished its request head holds stop() too; nothing of it was accepted.
      const { inFlight } = servers
      const work = inFlight === 0 ? [] : named(inFlight, describeInFlight?.() ?? [])
      servers.cut()
      return work
    },
  }
  lifecycle.addTarget(target)

  return {
    port,
    url: servers.url,
    get inFlight() {
      return servers.inFlight
    },
    get servedWhileDraining() {
      return servedWhileDraining
    },
    peerOf: servers.peerOf,
    renew: servers.renew,
  }
}

/** As many names as there are requests, whether or not each could be named. */
function named(count: number, names: readonly string[]): string[] {
  return Array.from(
    { length: Math.max(count, names.length) },
    (_, i) => names[i] ?? 'a request without a name',
  )
}
