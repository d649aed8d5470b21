import type { Clock } from './clock.ts'
import { limitReceiveBuffer } from './listener.ts'
import { openSteering } from './reuseport.ts'

export type FetchHandler = (request: Request, server: Bun.Server<undefined>) => Response | Promise<Response>

/** A certificate with its chain, and its key, as PEM. */
export interface Certificate {
  readonly cert: string
  readonly key: string
}

export interface PortSettings {
  readonly port: number
  readonly hostname: string
  readonly reusePort: boolean
  /** Seconds a connection may be silent. */
  readonly idleTimeout: number
  readonly maxRequestBodySize: number
  /** What the kernel may receive ahead for one connection; undefined: what it likes. */
  readonly receiveBufferBytes: number | undefined
  /** Speaks TLS with it; undefined: plain HTTP. */
  readonly certificate: Certificate | undefined
}

/** What listens on one port: one server, and after a renewal of its certificate for a while the one before it. */
export interface PortServers {
  readonly port: number
  readonly url: URL
  /** Requests accepted and not yet answered completely. */
  readonly inFlight: number
  /** Answers by another handler from now on, also on the connections there are. */
  answerWith(fetch: FetchHandler): void
  /**
   * Speaks TLS with another certificate on every connection made from now on. Those there are go on with the one they
   * have, and are asked to end with their next answer.
   *
   * @returns resolves when the last of them is gone
   * @throws when the certificate is none, or does not fit its key: then nothing has changed
   */
  renew(certificate: Certificate): Promise<void>
  /** The address that a request came from. */
  peerOf(request: Request): string | undefined
  /** Refuses new connections, closes idle ones, waits for the rest. */
  stop(): Promise<void>
  /** Closes everything. */
  cut(): void
}

/** Not at once, in ms: the C library's calls took 9 ms to load, for which the first answers would wait. */
const limitAfterMs = 100

/** Bun looks every 4 s whether a connection was silent for too long. */
const idleTickMs = 4_000

/**
 * Listens with Bun.
 *
 * `server.reload` takes no certificate (Bun 1.4.5 ignores it without a word), so a new one takes a second listener on
 * the port. The kernel is told to send new connections to it; the old one keeps its own until they have ended by
 * themselves, which silent ones do after the idle timeout. Where the kernel cannot be told (not on Linux), the old
 * listener is closed at once, and with it the connections that are idle.
 *
 * @throws when the port cannot be had, or the certificate is none
 */
export function openPort(settings: PortSettings, fetch: FetchHandler, clock: Clock): PortServers {
  const { certificate, receiveBufferBytes, ...options } = settings
  // A port that is shared with oneself is shared with anybody of the same user: it must be free before that.
  if (certificate !== undefined && !settings.reusePort && settings.port !== 0)
    void Bun.serve({ ...options, development: false, fetch }).stop(true)

  const common = {
    ...options,
    development: false,
    reusePort: settings.reusePort || certificate !== undefined,
  }
  const listen = (port: number, tls: Certificate | undefined, handler: FetchHandler) => {
    const server = Bun.serve({ ...common, port, fetch: handler, ...(tls !== undefined && { tls }) })
    if (receiveBufferBytes !== undefined)
      setTimeout(() => limitReceiveBuffer(server.port ?? port, receiveBufferBytes), limitAfterMs).unref()
    return server
  }

  let current = listen(settings.port, certificate, fetch)
  let leaving: Bun.Server<undefined> | undefined
  let left: Promise<void> = Promise.resolve()
  let handler = fetch
  const port = current.port ?? settings.port
  const all = () => (leaving === undefined ? [current] : [current, leaving])

  const leave = async (old: Bun.Server<undefined>): Promise<void> => {
    const steered = sendToNewest(port)
    if (steered) await clock.sleep(settings.idleTimeout * 1_000 + idleTickMs)
    await old.stop()
    if (leaving === old) leaving = undefined
  }

  return {
    port,
    url: current.url,
    get inFlight() {
      return all().reduce((sum, { pendingRequests }) => sum + pendingRequests, 0)
    },
    answerWith(next) {
      handler = next
      for (const server of all()) server.reload({ ...common, fetch: next })
    },
    async renew(next) {
      // The steering knows two listeners: another renewal waits until the one before is over.
      await left
      const old = current
      current = listen(port, next, handler)
      leaving = old
      old.reload({ ...common, fetch: lastAnswer(handler) })
      left = leave(old)
      return left
    },
    peerOf(request) {
      for (const server of all()) {
        const peer = server.requestIP(request)
        if (peer !== null) return peer.address
      }
      return undefined
    },
    async stop() {
      await Promise.all(all().map((server) => server.stop()))
    },
    cut() {
      for (const server of all()) void server.stop(true)
    },
  }
}

/** The same handler, each of whose answers ends its connection. */
export function lastAnswer(fetch: FetchHandler): FetchHandler {
  return (request, server) => {
    const answer = fetch(request, server)
    return answer instanceof Response ? closing(answer) : answer.then(closing)
  }
}

function closing(response: Response): Response {
  response.headers.set('connection', 'close')
  return response
}

/** Sends new connections to the second of two listeners. @returns whether the kernel does. */
function sendToNewest(port: number): boolean {
  try {
    openSteering(port).away(0, 2)
    return true
  } catch {
    return false
  }
}
