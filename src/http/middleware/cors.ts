import type { Context } from 'hono'
import { cors as honoCors } from 'hono/cors'
import type { Env } from '../env.ts'

/** Response headers that a page of another origin may read. */
const exposedHeaders = [
  'ETag',
  'Link',
  'Location',
  'RateLimit',
  'RateLimit-Policy',
  'Retry-After',
  'WWW-Authenticate',
  'X-Request-ID',
  'X-Served-By',
]

/** Request headers that such a page may send. */
const allowedHeaders = [
  'Authorization',
  'Content-Type',
  'Idempotency-Key',
  'If-Match',
  'If-None-Match',
  'Traceparent',
  'Tracestate',
  'X-API-Key',
  'X-Request-ID',
]

/** How long a browser may cache a preflight, in seconds: Chromium's maximum. */
const preflightMaxAgeSeconds = 7_200

/**
 * Cross-origin resource sharing by `hono/cors`. Credentials of the browser are never allowed: nothing here uses cookies,
 * and a page sends keys and tokens itself.
 *
 * @param origins those whose pages may read responses, or `*` for all
 * @param methodsOf the methods that the path of a preflight supports
 */
export function cors(origins: readonly string[] | '*', methodsOf: (c: Context<Env>) => readonly string[]) {
  const isAllowed = (origin: string): boolean => origins === '*' || origins.includes(origin)
  return honoCors({
    origin: origins === '*' ? '*' : [...origins],
    allowMethods: (origin, c) => (isAllowed(origin) ? [...methodsOf(c)] : []),
    allowHeaders: allowedHeaders,
    exposeHeaders: exposedHeaders,
    maxAge: preflightMaxAgeSeconds,
  })
}
