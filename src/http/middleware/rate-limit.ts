import {
  type Rate,
  type RateLimiter,
  remainingRequests,
  retryAfterMs,
  type Verdict,
} from '../../rate-limit/rate.ts'
import type { Problem } from '../problem.ts'
import type { RequestContext } from '../request-context.ts'
import type { Check } from './check.ts'

export interface RateLimitOptions {
  readonly rate: Rate
  readonly limiter: RateLimiter
  /** The address of the client, for those without credentials. */
  readonly clientAddress: (request: Request) => string | undefined
  /** The kind of requests: one kind uses no quota of another. Default `address`. */
  readonly kind?: 'address' | 'page'
}

/**
 * Limits the rate of each client, identified by its key, its token or its address. Responses report the client's quota
 * in the header fields of draft-ietf-httpapi-ratelimit-headers-10.
 */
export function rateLimit({ rate, limiter, clientAddress, kind = 'address' }: RateLimitOptions): Check {
  const seconds = (ms: number): number => Math.ceil(ms / 1_000)
  const policy = `"default";q=${rate.quota};w=${seconds(rate.windowMs)}`

  const judge = (context: RequestContext, verdict: Verdict | undefined): Problem | undefined => {
    if (verdict === undefined) return undefined
    context.addHeaders({
      'ratelimit-policy': policy,
      ratelimit: `"default";r=${remainingRequests(rate, verdict)};t=${seconds(verdict.aheadMs)}`,
    })
    if (verdict.allowed) return undefined
    return {
      code: 'rate-limited',
      detail: `At most ${rate.quota} requests in ${seconds(rate.windowMs)} s are allowed.`,
      headers: { 'retry-after': String(Math.max(1, seconds(retryAfterMs(rate, verdict)))) },
    }
  }

  return function checkRate(request, context) {
    const verdict = limiter.take(
      context.client ?? `${kind}:${clientNetwork(clientAddress(request) ?? 'unknown')}`,
    )
    return verdict instanceof Promise
      ? verdict.then((taken) => judge(context, taken))
      : judge(context, verdict)
  }
}

/**
 * Limits how often a check may fail: each failure counts as a request of its client, or of its address when the client is
 * unknown, and above the rate it gets 429 instead.
 *
 * Only failures are refused. Were an address locked out, one client with a wrong key could keep out all others behind the
 * same proxy; and a key of 256 random bits is not found by trying.
 */
export function limitFailures(check: Check, limit: Check): Check {
  const limited = (request: Request, context: RequestContext, failure: Problem | undefined) => {
    if (failure === undefined) return undefined
    const refusal = limit(request, context)
    return refusal instanceof Promise ? refusal.then((problem) => problem ?? failure) : (refusal ?? failure)
  }
  return function checkLimited(request, context) {
    const problem = check(request, context)
    return problem instanceof Promise
      ? problem.then((failure) => limited(request, context, failure))
      : limited(request, context, problem)
  }
}

/** The addresses of one client: of IPv4 one, of IPv6 a /64, because every subscriber has that many (RFC 6177). */
function clientNetwork(address: string): string {
  if (!address.includes(':')) return address
  const [head = '', tail] = address.split('::')
  const groups = head === '' ? [] : head.split(':')
  const missing = tail === undefined ? 0 : 8 - groups.length - (tail === '' ? 0 : tail.split(':').length)
  return [...groups, ...Array<string>(missing).fill('0'), ...(tail ? tail.split(':') : [])]
    .slice(0, 4)
    .join(':')
}
