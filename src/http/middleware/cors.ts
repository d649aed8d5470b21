import type { Context, MiddlewareHandler } from 'hono'
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

/** Request headers that such a page may send: those of the service, and what libraries for requests and tracing add. */
const allowedHeaders = [
  'Authorization',
  'B3',
  'Baggage',
  'Cache-Control',
  'Content-Type',
  'Idempotency-Key',
  'If-Match',
  'If-None-Match',
  'Last-Event-ID',
  'Sentry-Trace',
  'Traceparent',
  'Tracestate',
  'X-API-Key',
  'X-Request-ID',
  'X-Requested-With',
]

export interface CorsOptions {
  /** Origins whose pages may read responses, or `*` for all. */
  readonly origins: readonly string[] | '*'
  /** Request headers that pages may send, beyond those that every page may. Default: none. */
  readonly headers?: readonly string[] | undefined
}

/** How long a browser may cache a preflight, in seconds: Chromium's maximum. */
const preflightMaxAgeSeconds = 7_200

/**
 * Cross-origin resource sharing by `hono/cors`. Credentials of the browser are never allowed: nothing here uses cookies,
 * and a page sends keys and tokens itself.
 *
 * @param methodsOf the methods that the path of a preflight supports
 */
export function cors(
  { origins, headers = [] }: CorsOptions,
  methodsOf: (c: Context<Env>) => readonly string[],
): MiddlewareHandler<Env> {
  const isAllowed = (origin: string): boolean => origins === '*' || origins.includes(origin)
  return honoCors({
    origin: origins === '*' ? '*' : [...origins],
    allowMethods: (origin, c) => (isAllowed(origin) ? [...methodsOf(c)] : []),
    allowHeaders: [...allowedHeaders, ...headers],
    exposeHeaders: exposedHeaders,
    maxAge: preflightMaxAgeSeconds,
  })
}
