import type { Refusal } from '../problem.ts'

/** A host name or address with an optional port, as a Host header may name it. */
const hostPattern = /^(?:[\w.-]+|\[[0-9a-fA-F:.]+\])(?::(\d{1,5}))?$/

/** The methods that a router never sees: this runtime hands CONNECT and TRACE to the handler. */
const refusedMethods: ReadonlySet<string> = new Set(['CONNECT', 'TRACE'])

/** @param host the Host header. It and the method are read once a request, not by everybody who asks for them. */
export type HostGuard = (
  request: Pick<Request, 'url'>,
  method: string,
  host: string | null,
) => Refusal | undefined

/**
 * Decides what must be decided before any routing.
 *
 * With a Host that is missing, doubled or not a host name, this runtime's `request.url` is relative and a
 * router drops its first segment: `GET /public/admin` would be routed as `/admin`, past every rule of a
 * proxy in front.
 *
 * @returns the refusal, or undefined when the request may go on.
 */
export function createHostGuard(): HostGuard {
  // Clients say the same host again and again, so the last good one is not looked at twice.
  let lastGood: string | undefined
  return (request, method, host) => {
    if (refusedMethods.has(method))
      return {
        code: 'method-not-allowed',
        detail: `${method} is not answered here.`,
        // After a CONNECT this runtime takes what follows for a tunnel's: the connection is of no more use.
        headers: { allow: 'GET, HEAD, POST, OPTIONS', connection: 'close' },
      }
    if (host !== null && host === lastGood && request.url.startsWith('http')) return undefined
    const [, port = '0'] = (host !== null && hostPattern.exec(host)) || []
    const good = host !== null && hostPattern.test(host) && Number(port) <= 65_535
    if (!good || !request.url.startsWith('http'))
      return { code: 'bad-host', detail: 'The Host header must name one host.' }
    lastGood = host
    return undefined
  }
}
