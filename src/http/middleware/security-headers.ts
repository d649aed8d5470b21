import { secureHeaders } from 'hono/secure-headers'
import type { Check } from './check.ts'

/** Not set by `secureHeaders` here: `requestContext` sets nosniff, `strictTransport` HSTS, and the rest is obsolete. */
const unused = {
  originAgentCluster: false,
  strictTransportSecurity: false,
  xContentTypeOptions: false,
  xDnsPrefetchControl: false,
  xDownloadOptions: false,
  xPermittedCrossDomainPolicies: false,
  xXssProtection: false,
} as const

/**
 * Security headers for pages: no framing, no referrer, and no resources beyond those the page allows (OWASP, HTTP Headers
 * Cheat Sheet).
 *
 * @param allowed directives of the Content-Security-Policy. Default: nothing is loaded.
 */
export const pageHeaders = (allowed: Record<string, string[]> = { defaultSrc: ["'none'"] }) =>
  secureHeaders({
    ...unused,
    contentSecurityPolicy: { ...allowed, frameAncestors: ["'none'"] },
    crossOriginOpenerPolicy: 'same-origin',
    crossOriginResourcePolicy: 'same-origin',
    referrerPolicy: 'no-referrer',
    xFrameOptions: 'DENY',
  })

/** For responses over TLS: browsers must not use this host without it for a year (RFC 6797). */
export const strictTransport: Check = (_request, context) => {
  context.addHeaders({ 'strict-transport-security': 'max-age=31536000' })
  return undefined
}
