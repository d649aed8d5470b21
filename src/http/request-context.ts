import type { AccessDetails } from '../telemetry/log/access-line.ts'
import type { TraceIds } from '../telemetry/tracing/tracing.ts'
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
export class RequestContext {
  /** `performance.now()` on arrival. */
  readonly startedAt = performance.now()
  /** The template of the matched route. */
  route = unmatchedRoute
  /** Probes, scrapes and admin requests: logged at debug unless they fail. */
  isProbe = false
  /** Logged at debug, whatever the response: most of the shed requests. */
  isQuiet = false
  /** Who asked, as `key:name` or `sub:subject`, once authenticated. */
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
  /** Bytes of the request body, once it was read, if the log wants them. */
  requestBytes: number | undefined = undefined
  /** Bytes of the response body before compression, where known, if the log wants them. */
  responseBytes: number | undefined = undefined
  /** Answers in place of the handler when the deadline passes. */
  onTimeout: (() => void) | undefined = undefined
  #controller: AbortController | undefined
  #isTimedOut = false

  /**
   * @param logsBytes whether the access log says how long the bodies are
   * @param details what the access log says beyond the ordinary
   */
  constructor(
    readonly method: string,
    readonly requestId: string,
    readonly commonHeaders: CommonHeaders,
    readonly logsBytes: boolean,
    readonly details: AccessDetails | undefined,
  ) {}

  /** Aborts at the deadline. A handler that holds a resource must release it then: nobody reads its response. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.#isTimedOut) this.#controller.abort()
    return this.#controller.signal
  }

  /** Adds headers to the response, whatever it will be. */
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

  /** Ends the request at its deadline. */
  timeOut(): void {
    this.#isTimedOut = true
    this.onTimeout?.()
    this.#controller?.abort()
  }
}
