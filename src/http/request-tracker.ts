import type { Log } from '../telemetry/log/log.ts'
import type { Metrics } from '../telemetry/metrics/metrics.ts'
import { CommonHeaders } from './headers/common-headers.ts'
import { RequestContext } from './request-context.ts'
import { createRequestIds } from './request-id.ts'

export interface RequestTrackerOptions {
  /** The value of `X-Served-By`. */
  readonly instance: string
  readonly log: Pick<Log, 'access'>
  readonly metrics: Pick<Metrics, 'requests'>
  /** Whether successful requests are logged at info. */
  readonly accessLog: boolean
  /** How long a handler may take, in ms. */
  readonly timeoutMs: number
}

/** Methods that may become a metric label. */
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

/** How often deadlines are checked, in ms; a request may exceed its own by this much. */
const pollIntervalMs = 250

/**
 * The accounting of requests: each gets an id and a deadline when it begins, and is counted and logged exactly once when
 * it finishes. One timer serves all deadlines: all requests have the same time, so the oldest expires first.
 */
export class RequestTracker {
  readonly #inFlight = new Set<RequestContext>()
  readonly #options: RequestTrackerOptions
  readonly #commonHeaders: CommonHeaders
  readonly #nextId = createRequestIds()
  readonly #timer: ReturnType<typeof setInterval>

  constructor(options: RequestTrackerOptions) {
    this.#options = options
    this.#commonHeaders = new CommonHeaders(options.instance)
    this.#timer = setInterval(() => this.#expire(), Math.min(pollIntervalMs, options.timeoutMs))
    this.#timer.unref()
  }

  /** Requests accepted and not yet answered. */
  get size(): number {
    return this.#inFlight.size
  }

  begin(method: string, headers: Headers): RequestContext {
    const context = new RequestContext(
      knownMethods.has(method) ? method : 'other',
      this.#nextId(headers.get('x-request-id')),
      this.#commonHeaders,
    )
    this.#inFlight.add(context)
    return context
  }

  /**
   * Completes the response's headers, ends the span, counts and logs.
   *
   * @returns the response
   */
  finish(context: RequestContext, response: Response): Response {
    if (!this.#inFlight.delete(context)) return response
    context.completeHeaders(response)
    const { log, metrics, accessLog } = this.#options
    const { status } = response
    const durationMs = performance.now() - context.startedAt
    context.trace?.end(status)
    metrics.requests.observe(context.method, context.route, status, durationMs / 1_000)
    if (accessLog || status >= 500 || context.fault !== undefined)
      log.access(context.isQuiet ? 'debug' : 'info', context, status, durationMs)
    return response
  }

  /** Each request in flight as `METHOD route request-id`, oldest first. */
  describe(): string[] {
    return [...this.#inFlight].map(({ method, route, requestId }) => `${method} ${route} ${requestId}`)
  }

  /** Stops checking deadlines. */
  close(): void {
    clearInterval(this.#timer)
  }

  #expire(): void {
    const latest = performance.now() - this.#options.timeoutMs
    for (const context of this.#inFlight) {
      if (context.startedAt > latest) return
      context.timeOut()
    }
  }
}
