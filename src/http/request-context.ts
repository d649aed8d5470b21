import type { AccessDetails } from '../telemetry/log/access-line.ts'
import type { TraceIds } from '../telemetry/tracing/tracing.ts'
import type { AbortReason, ArrivingRequest, BodyArrivals } from './body/body-arrivals.ts'
import type { ByteBudget } from './body/byte-budget.ts'
import type { CommonHeaders } from './headers/common-headers.ts'

/** The route label of every request that matches no route: a client must not be able to create series. */
export const unmatchedRoute = 'unmatched'

/** The span of a request. */
export interface RequestSpan {
  /** For the access log. */
  readonly ids: TraceIds
  /** Ends the span with the status of the response. */
  end(status: number): void
}

/** One request from its arrival to its response. Middleware and fast path share it; handlers use `c.get('request')`. */
export class RequestContext implements ArrivingRequest {
  /** `performance.now()` on arrival. */
  readonly startedAt = performance.now()
  /** The template of the matched route. */
  route = unmatchedRoute
  /** Probes, scrapes and admin requests: logged at debug unless they fail. */
  isProbe = false
  /** Logged at debug, with any response: most of the shed requests. */
  isQuiet = false
  /** The client, as `key:name` or `sub:subject`, once authenticated. */
  client: string | undefined = undefined
  /** Faults injected into this request, for the access log. */
  fault: string | undefined = undefined
  trace: RequestSpan | undefined = undefined
  /** The code of the problem that was answered, for the access log. */
  problem: string | undefined = undefined
  /** Why the request failed, for the access log. */
  cause: string | undefined = undefined
  /** The task that the request added, retried or cancelled, for the access log. */
  taskId: string | undefined = undefined
  /** Response headers left by checks. */
  headers: Readonly<Record<string, string>> | undefined = undefined
  /** True once a response was built with the headers that every response carries. */
  hasCommonHeaders = false
  /** The length of the selected representation in characters, where known. A 304 or HEAD does not send it. */
  responseSize: number | undefined = undefined
  /** Bytes of the request body, once it was read, if the log has them. */
  requestBytes: number | undefined = undefined
  /** Bytes of the response body before compression, where known, if the log has them. */
  responseBytes: number | undefined = undefined
  /** Answers in place of the handler when the request is aborted. */
  onAbort: ((reason: AbortReason) => void) | undefined = undefined
  /** True while the body is being read. */
  isReceiving = false
  /** Bytes of the body so far; undefined where they are not counted. */
  receivedBytes: number | undefined = undefined
  /** The size of the body by its header, in bytes; 0 when unknown. */
  announcedBytes = 0
  /** Bytes taken from `responseBudget` for a response that has not begun. */
  heldResponseBytes = 0
  #controller: AbortController | undefined
  #isAborted = false

  /**
   * @param arrivals counts this request while its body arrives
   * @param responseBudget bytes of all large responses held at a time
   * @param logsBytes whether the access log contains the sizes of the bodies
   * @param details the optional fields of the access log
   */
  constructor(
    readonly method: string,
    readonly requestId: string,
    readonly commonHeaders: CommonHeaders,
    readonly arrivals: BodyArrivals,
    readonly responseBudget: ByteBudget,
    readonly logsBytes: boolean,
    readonly details: AccessDetails | undefined,
  ) {}

  /**
   * Aborts at the deadline, or when the body arrives too slowly. A handler that holds a resource must release it then,
   * because its response is discarded.
   */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.#isAborted) this.#controller.abort()
    return this.#controller.signal
  }

  /** Adds headers to the response, also to a problem. */
  addHeaders(headers: Readonly<Record<string, string>>): void {
    this.headers = this.headers === undefined ? headers : { ...this.headers, ...headers }
  }

  /** Adds the common headers, and those left by checks, to a response that was built without them. */
  completeHeaders(response: Response): void {
    if (this.hasCommonHeaders) return
    const { headers } = response
    this.commonHeaders.apply(this.requestId, headers)
    for (const [name, value] of Object.entries(this.headers ?? {}))
      if (!headers.has(name)) headers.set(name, value)
  }

  /** Call it before a body is read. @param announcedBytes by its header; NaN when unknown */
  beginBody(announcedBytes: number): void {
    if (this.#isAborted) return
    this.isReceiving = true
    this.announcedBytes = announcedBytes || 0
    this.arrivals.count++
  }

  /** Call it when the body is complete. If it never is, the end of the request has the same effect. */
  endBody(): void {
    if (!this.isReceiving) return
    this.isReceiving = false
    this.arrivals.count--
  }

  /** Releases the memory of a response that was not created. */
  releaseResponse(): void {
    this.responseBudget.release(this.heldResponseBytes)
    this.heldResponseBytes = 0
  }

  /** Answers the request in place of its handler. */
  abort(reason: AbortReason): void {
    this.#isAborted = true
    this.onAbort?.(reason)
    this.#controller?.abort()
  }
}
