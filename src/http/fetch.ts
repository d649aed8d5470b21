import type { Log } from '../telemetry/log/log.ts'
import type { Metrics } from '../telemetry/metrics/metrics.ts'
import { refusalOf } from './domain-problems.ts'
import { createHostGuard } from './middleware/host.ts'
import { OwnHeaders } from './own-headers.ts'
import type { Problems } from './problem.ts'
import { Exchange, identify, type WayIn } from './request-context.ts'
import { createRequestIds } from './request-id.ts'
import type { InFlight } from './requests-in-flight.ts'

export interface FetchOptions {
  /** What answers once the guards have passed: the router. */
  readonly route: (request: Request, exchange: Exchange) => Response | Promise<Response>
  readonly problems: Problems
  readonly inFlight: InFlight
  readonly log: Log
  readonly metrics: Pick<Metrics, 'requests'>
  readonly servedBy: string
  /** Whether answered requests are logged at info. */
  readonly accessLog: boolean
}

/** Methods that may become a label; anything else would let a client make series. */
const knownMethods: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
  'CONNECT',
  'TRACE',
])

/**
 * The way of every request: guards, name, deadline, router, then count and log. It is one function
 * around the router and not a chain of middleware, because it must also see what the router never
 * sees, and because a chain of five costs 3 µs a request where this costs 1.
 */
export function createFetch(options: FetchOptions): (request: Request) => Response | Promise<Response> {
  const { route, problems, inFlight, log, metrics, servedBy, accessLog } = options
  const guard = createHostGuard()
  const nameRequest = createRequestIds()

  const finish = (exchange: Exchange, response: Response): Response => {
    exchange.answered = true
    inFlight.remove(exchange)
    const { status } = response
    const durationMs = performance.now() - exchange.startedAt
    exchange.trace?.answered(status)
    metrics.requests.observe(exchange.method, exchange.route, status, durationMs / 1_000)
    if (accessLog || status >= 500 || exchange.fault !== undefined)
      log.access(exchange.background ? 'debug' : 'info', exchange, status, durationMs)
    return response
  }

  const failed = (exchange: Exchange, error: unknown): Response => {
    const refusal = refusalOf(error)
    if (refusal !== undefined) return problems.answer(exchange, refusal)
    log.error('request failed', {
      request_id: exchange.requestId,
      route: exchange.route,
      ...exchange.trace?.ids,
      error,
    })
    return problems.answer(exchange, {
      code: 'internal-error',
      detail: 'The request could not be answered. The log has the reason under the request id.',
    })
  }

  const expired = (exchange: Exchange): Response =>
    problems.answer(exchange, {
      code: 'request-timeout',
      detail: 'The request was not answered in its time.',
      headers: { 'retry-after': '1' },
    })

  const settle = (exchange: Exchange, response: Response): void => {
    // A body that cannot be cancelled (somebody reads it) ends by itself; that is nobody's fault.
    if (exchange.answered) response.body?.cancel().catch(() => {})
    else exchange.resolve?.(finish(exchange, identify(exchange, response)))
  }

  const wayIn: WayIn = { ownHeaders: new OwnHeaders(servedBy), settle, failed }

  inFlight.watch((exchange) => {
    settle(exchange, expired(exchange))
    exchange.abandon?.()
  })

  /** The router's answer, or a 503 in its place when it takes too long. */
  const withDeadline = (exchange: Exchange, answer: Promise<Response>): Promise<Response> =>
    new Promise((resolve) => {
      exchange.resolve = resolve
      answer.then(
        (response) => settle(exchange, response),
        (error: unknown) => settle(exchange, failed(exchange, error)),
      )
    })

  return (request) => {
    const { method, headers } = request
    const exchange = new Exchange(
      knownMethods.has(method) ? method : 'other',
      nameRequest(headers.get('x-request-id')),
      wayIn,
    )
    inFlight.add(exchange)
    const refusal = guard(request, method, headers.get('host'))
    if (refusal !== undefined) return finish(exchange, problems.answer(exchange, refusal))
    try {
      const answer = route(request, exchange)
      if (answer instanceof Response) return finish(exchange, identify(exchange, answer))
      return answer === exchange.promise ? answer : withDeadline(exchange, answer)
    } catch (error) {
      return finish(exchange, failed(exchange, error))
    }
  }
}
