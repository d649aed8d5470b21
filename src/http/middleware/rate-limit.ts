import { type Rate, type RateLimiter, remainingRequests, type Verdict, retryAfterMs } from '../../rate-limit/rate.ts'
import type { Refusal } from '../problem.ts'
import type { Exchange } from '../request-context.ts'
import { addHeaders, type Gate } from './check.ts'

/**
 * Lets every client have its rate: who is known by key or token under that name, others by their address. Answers tell
 * where a client stands, in the header fields of draft-ietf-httpapi-ratelimit-headers-10.
 *
 * @param addressOf the address that a request came from
 */
export function rateLimit(
  rate: Rate,
  limiter: RateLimiter,
  addressOf: (request: Request) => string | undefined,
): Gate {
  const seconds = (ms: number): number => Math.ceil(ms / 1_000)
  const policy = `"default";q=${rate.quota};w=${seconds(rate.windowMs)}`

  const judge = (exchange: Exchange, verdict: Verdict | undefined): Refusal | undefined => {
    if (verdict === undefined) return undefined
    addHeaders(exchange, {
      'ratelimit-policy': policy,
      ratelimit: `"default";r=${remainingRequests(rate, verdict)};t=${seconds(verdict.aheadMs)}`,
    })
    if (verdict.allowed) return undefined
    return {
      code: 'rate-limited',
      detail: `${rate.quota} requests in ${seconds(rate.windowMs)} s are allowed.`,
      headers: { 'retry-after': String(Math.max(1, seconds(retryAfterMs(rate, verdict)))) },
    }
  }

  return (request, exchange) => {
    const verdict = limiter.take(exchange.client ?? `address:${networkOf(addressOf(request) ?? 'unknown')}`)
    return verdict instanceof Promise ? verdict.then((one) => judge(exchange, one)) : judge(exchange, verdict)
  }
}

/** What one client has of addresses: of IPv4 one, of IPv6 a /64, for every subscriber has that many (RFC 6177). */
function networkOf(address: string): string {
  if (!address.includes(':')) return address
  const [head = '', tail] = address.split('::')
  const groups = head === '' ? [] : head.split(':')
  const missing = tail === undefined ? 0 : 8 - groups.length - (tail === '' ? 0 : tail.split(':').length)
  return [...groups, ...Array<string>(missing).fill('0'), ...(tail ? tail.split(':') : [])]
    .slice(0, 4)
    .join(':')
}
