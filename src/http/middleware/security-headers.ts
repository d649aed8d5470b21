import { addHeaders, type Gate } from './check.ts'

/** Leaves the same headers with every answer. */
export function constantHeaders(headers: Readonly<Record<string, string>>): Gate {
  return (_, exchange) => {
    addHeaders(exchange, headers)
    return undefined
  }
}

/**
 * For pages: nothing of them in a frame of others, no word to others about where somebody came from, and unless a page
 * says otherwise nothing loaded at all (OWASP, HTTP Headers Cheat Sheet). That no type is guessed every answer says.
 */
export const pageHeaders = constantHeaders({
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
})

/** For answers over TLS: never ask this host without it again, for a year (RFC 6797). */
export const strictTransport = constantHeaders({ 'strict-transport-security': 'max-age=31536000' })
