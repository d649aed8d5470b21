import type { Log, LogLevel } from '../telemetry/log/log.ts'
import type { Metrics } from '../telemetry/metrics/metrics.ts'
import { BodyArrivals } from './body/body-arrivals.ts'
import { ByteBudget } from './body/byte-budget.ts'
import { CommonHeaders } from './headers/common-headers.ts'
import { RequestContext } from './request-context.ts'
import type { DescribeRequest } from './request-details.ts'
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
  /** Bytes of all large responses held at a time. Default: any number. */
  readonly maxResponseBytes?: number | undefined
  /** Bodies that may be arriving at a time. Default: any number. */
  readonly maxArriving?: number | undefined
  /** Whether access lines have the bytes of request and response. Default false. */
  readonly logBytes?: boolean | undefined
  /** Finds the optional fields of access lines. Default: no such field. */
  readonly describeRequest?: DescribeRequest | undefined
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
  /** Requests whose body has not arrived. */
  readonly arrivals: BodyArrivals
  readonly #responseBudget: ByteBudget
  readonly #inFlight = new Set<RequestContext>()
  readonly #options: RequestTrackerOptions
  readonly #commonHeaders: CommonHeaders
  readonly #nextId = createRequestIds()
  readonly #timer: ReturnType<typeof setInterval>

  constructor(options: RequestTrackerOptions) {
    this.#options = options
    this.arrivals = new BodyArrivals(this.#inFlight, options.maxArriving ?? Number.POSITIVE_INFINITY)
    this.#responseBudget = new ByteBudget(options.maxResponseBytes ?? Number.MAX_SAFE_INTEGER)
    this.#commonHeaders = new CommonHeaders(options.instance)
    this.#timer = setInterval(() => this.#expire(), Math.min(pollIntervalMs, options.timeoutMs))
    this.#timer.unref()
  }

  /** Requests accepted and not yet answered. */
  get size(): number {
    return this.#inFlight.size
  }

  /** Those of them that are probes, scrapes and admin requests. */
  countProbes(): number {
    return [...this.#inFlight].filter(({ isProbe }) => isProbe).length
  }

  /** @param url of the request: reading it from Bun's request again is expensive */
  begin(request: Request, url: string): RequestContext {
    const { method, headers } = request
    const { logBytes = false, describeRequest } = this.#options
    const context = new RequestContext(
      knownMethods.has(method) ? method : 'other',
      this.#nextId(headers.get('x-request-id')),
      this.#commonHeaders,
      this.arrivals,
      this.#responseBudget,
      logBytes,
      describeRequest?.(request, url),
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
    context.endBody()
    if (context.heldResponseBytes > 0) context.releaseResponse()
    context.completeHeaders(response)
    const { log, metrics, accessLog } = this.#options
    const { status } = response
    const durationMs = performance.now() - context.startedAt
    context.trace?.end(status)
    metrics.requests.observe(context.method, context.route, status, durationMs / 1_000)
    if (accessLog || status >= 500 || context.fault !== undefined)
      log.access(accessLevel(context, status), context, status, durationMs)
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
      if (context.startedAt > latest) break
      context.abort('timeout')
    }
    this.arrivals.enforce()
  }
}

/** A probe that answers 503, as `/ready` does, has not failed: it has no problem. */
function accessLevel({ isQuiet, isProbe, problem }: RequestContext, status: number): LogLevel {
  if (isQuiet) return 'debug'
  if (status >= 500 && (problem !== undefined || !isProbe)) return 'error'
  return isProbe ? 'debug' : 'info'
}
