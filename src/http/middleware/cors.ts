import { addHeaders, type Gate } from './check.ts'

/** What a page of another site may read of an answer, beside its body. */
const exposed = [
  'ETag',
  'Link',
  'Location',
  'RateLimit',
  'RateLimit-Policy',
  'Retry-After',
  'WWW-Authenticate',
  'X-Request-ID',
  'X-Served-By',
].join(', ')

/** What it may send beyond what every page may. */
const acceptedHeaders = [
  'Authorization',
  'Content-Type',
  'Idempotency-Key',
  'If-Match',
  'If-None-Match',
  'Traceparent',
  'Tracestate',
  'X-API-Key',
  'X-Request-ID',
].join(', ')

/** How long a browser may remember the answer to a preflight, in seconds: as long as Chromium does at the most. */
const preflightSeconds = 7_200

export interface Cors {
  /** Leaves what a page of another site needs to read the answer. It refuses nothing: a browser does that. */
  readonly gate: Gate
  /** The headers of the answer to OPTIONS. */
  preflight(request: Request, methods: readonly string[]): Record<string, string>
}

/**
 * Cross-origin resource sharing (the Fetch standard, §3.2). Credentials of the browser's own are never allowed: nothing
 * here goes by cookies, and a key or token is sent by the page itself.
 *
 * @param origins those whose pages may read answers, or `*` for all
 */
export function cors(origins: readonly string[] | '*'): Cors {
  const allowed = origins === '*' ? origins : new Set(origins)
  const everybody = { 'access-control-allow-origin': '*', 'access-control-expose-headers': exposed }

  /** An answer depends on who asks, also where nobody is allowed: a cache must know. */
  const headersFor = (origin: string | null): Record<string, string> => {
    if (allowed === '*') return everybody
    if (origin === null || !allowed.has(origin)) return { vary: 'Origin' }
    return {
      vary: 'Origin',
      'access-control-allow-origin': origin,
      'access-control-expose-headers': exposed,
    }
  }

  return {
    gate(request, exchange) {
      addHeaders(exchange, headersFor(request.headers.get('origin')))
      return undefined
    },
    preflight(request, methods) {
      const { 'access-control-expose-headers': _, ...headers } = headersFor(request.headers.get('origin'))
      return {
        ...headers,
        allow: methods.join(', '),
        ...('access-control-allow-origin' in headers && {
          'access-control-allow-methods': methods.join(', '),
          'access-control-allow-headers': acceptedHeaders,
          'access-control-max-age': String(preflightSeconds),
        }),
      }
    },
  }
}
