import type { Problem } from '../problem.ts'

/** A host name or address with an optional port. */
const hostPattern = /^(?:[\w.-]+|\[[0-9a-fA-F:.]+\])(?::\d{1,5})?$/
const longPortPattern = /:(\d{5})$/
const isHost = createHostValidator()

/**
 * Refuses requests that no route may see: CONNECT and TRACE, which Bun hands to the handler like any method, and those
 * whose Host is missing, repeated or malformed.
 *
 * With such a Host, Bun's `request.url` is relative and a router drops its first segment: `GET /public/admin` would be
 * routed as `/admin`, past every rule of a proxy in front.
 */
export function checkHost(method: string, url: string, headers: Headers): Problem | undefined {
  if (method === 'CONNECT' || method === 'TRACE')
    return {
      code: 'method-not-allowed',
      detail: `${method} is not supported.`,
      // After a CONNECT, Bun reads everything that follows as the data of a tunnel.
      headers: { allow: 'GET, HEAD, POST, OPTIONS', connection: 'close' },
    }
  const host = headers.get('host')
  // Over a socket, a missing Host makes the URL relative. Only a request made in this process has neither.
  if (url.startsWith('http') && (host === null || isHost(host))) return undefined
  return { code: 'invalid-host', detail: 'Host must name exactly one host.' }
}

/** Clients repeat their Host, so the last valid one is cached. */
function createHostValidator(): (host: string) => boolean {
  let lastValid: string | undefined
  return (host) => {
    if (host === lastValid) return true
    if (!hostPattern.test(host) || Number(longPortPattern.exec(host)?.[1] ?? 0) > 65_535) return false
    lastValid = host
    return true
  }
}
