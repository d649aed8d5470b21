import type { Clock } from './clock.ts'
import { type FetchHandler, handleLiterally, withConnectionClose } from './fetch-handler.ts'
import { limitReceiveBuffer } from './listener.ts'
import { openSteering } from './reuseport.ts'

/** A certificate with its chain, and its key, as PEM. */
export interface Certificate {
  readonly cert: string
  readonly key: string
}

export interface PortSettings {
  readonly port: number
  readonly hostname: string
  readonly reusePort: boolean
  /** Seconds that a connection may be silent. */
  readonly idleTimeout: number
  readonly maxRequestBodySize: number
  /** The bytes that the kernel receives ahead for one connection. Undefined: the kernel's own limit. */
  readonly receiveBufferBytes: number | undefined
  /** Undefined: plain HTTP. */
  readonly certificate: Certificate | undefined
  /** Paths whose requests are marked as literal for the handler. */
  readonly literalPaths: readonly string[]
}

/** Delay before the receive buffer is limited, in ms: loading the C library must not delay the first responses. */
const limitDelayMs = 100

/** Bun checks every 4 s for connections that were silent for too long. */
const idleCheckIntervalMs = 4_000

/**
 * The servers that listen on one port: one, and for a while after a reload of the certificate also the previous one.
 *
 * `server.reload` ignores certificates (Bun 1.4.5), so a new certificate needs a second listener on the port. The
 * kernel steers new connections to it. The old listener keeps its connections until they end: silent ones after the
 * idle timeout. Where connections cannot be steered (not on Linux), the old listener is closed at once, together with
 * its idle connections.
 */
export class PortServers {
  readonly port: number
  readonly url: URL
  readonly #settings: PortSettings
  readonly #clock: Clock
  #handler: FetchHandler
  #current: Bun.Server<undefined>
  #retiring: Bun.Server<undefined> | undefined
  /** Resolves when the previous listener is closed. */
  #retired: Promise<void> = Promise.resolve()

  /** @throws when the port is not available, or the certificate is invalid */
  constructor(settings: PortSettings, handler: FetchHandler, clock: Clock) {
    this.#settings = settings
    this.#clock = clock
    this.#handler = handler
    if (settings.certificate !== undefined && !settings.reusePort) assertPortIsFree(settings, handler)
    this.#current = this.#listen(settings.port, settings.certificate)
    this.port = this.#current.port ?? settings.port
    this.url = this.#current.url
  }

  /** Requests that are accepted and not completely answered. */
  get inFlight(): number {
    return this.#servers().reduce((sum, { pendingRequests }) => sum + pendingRequests, 0)
  }

  /** Replaces the handler for all further requests, also on open connections. */
  setHandler(handler: FetchHandler): void {
    this.#handler = handler
    for (const server of this.#servers()) this.#reload(server, handler)
  }

  /**
   * Uses another certificate for every new connection. Open connections keep theirs and are closed with their next
   * response.
   *
   * @returns resolves when the last connection with the previous certificate is closed
   * @throws when the certificate is invalid or does not match its key; then nothing has changed
   */
  async reloadCertificate(certificate: Certificate): Promise<void> {
    // Steering knows two listeners, so a reload waits for the end of the previous one.
    await this.#retired
    const previous = this.#current
    this.#current = this.#listen(this.port, certificate)
    this.#retiring = previous
    this.#reload(previous, withConnectionClose(this.#handler))
    this.#retired = this.#retire(previous)
    return this.#retired
  }

  /** The address of the client; undefined when its connection is closed. */
  remoteAddress(request: Request): string | undefined {
    for (const server of this.#servers()) {
      const address = server.requestIP(request)
      if (address !== null) return address.address
    }
    return undefined
  }

  /** Refuses new connections, closes idle ones, waits for the rest. */
  async stop(): Promise<void> {
    await Promise.all(this.#servers().map((server) => server.stop()))
  }

  /** Closes all connections. */
  abort(): void {
    for (const server of this.#servers()) void server.stop(true)
  }

  #servers(): Bun.Server<undefined>[] {
    return this.#retiring === undefined ? [this.#current] : [this.#current, this.#retiring]
  }

  #serveOptions() {
    const { certificate, receiveBufferBytes, literalPaths, ...options } = this.#settings
    return {
      ...options,
      development: false,
      // The next certificate needs a second listener on the port.
      reusePort: options.reusePort || certificate !== undefined,
    }
  }

  #listen(port: number, tls: Certificate | undefined): Bun.Server<undefined> {
    const server = Bun.serve({
      ...this.#serveOptions(),
      port,
      ...handleLiterally(this.#handler, this.#settings.literalPaths),
      ...(tls !== undefined && { tls }),
    })
    const { receiveBufferBytes } = this.#settings
    if (receiveBufferBytes !== undefined)
      setTimeout(() => limitReceiveBuffer(server.port ?? port, receiveBufferBytes), limitDelayMs).unref()
    return server
  }

  #reload(server: Bun.Server<undefined>, handler: FetchHandler): void {
    server.reload({ ...this.#serveOptions(), ...handleLiterally(handler, this.#settings.literalPaths) })
  }

  async #retire(server: Bun.Server<undefined>): Promise<void> {
    if (steerToSecond(this.port))
      await this.#clock.sleep(this.#settings.idleTimeout * 1_000 + idleCheckIntervalMs)
    await server.stop()
    if (this.#retiring === server) this.#retiring = undefined
  }
}

/**
 * Listens on the port alone for a moment. A listener with SO_REUSEPORT would share the port with any other process of
 * the same user instead of failing.
 */
function assertPortIsFree({ port, hostname }: PortSettings, fetch: FetchHandler): void {
  if (port === 0) return
  void Bun.serve({ port, hostname, reusePort: false, development: false, fetch }).stop(true)
}

/** Sends new connections to the second of two listeners. @returns whether the kernel does */
function steerToSecond(port: number): boolean {
  try {
    openSteering(port).exclude(0, 2)
    return true
  } catch {
    return false
  }
}
