import type { PayloadLimits } from '../analysis/payload.ts'
import { createPayloadAnalyzer } from '../analysis/payload-analyzer.ts'
import type { Metrics } from '../telemetry/metrics/metrics.ts'
import { checkBodyHeaders, contentLength, incompleteBody } from './body/json-body.ts'
import { allChecks, type Check } from './middleware/check.ts'
import { checkHost } from './middleware/host.ts'
import { abortProblems } from './middleware/request-context.ts'
import { inputProblem, type Problem, type ProblemResponse } from './problem.ts'
import type { RequestContext } from './request-context.ts'
import type { RequestTracker } from './request-tracker.ts'
import { respondJson } from './respond.ts'

export interface FastPathOptions {
  readonly tracker: RequestTracker
  readonly problemResponse: ProblemResponse
  readonly onError: (error: unknown, context: RequestContext) => Response
  /** The checks of the application routes. */
  readonly checks: readonly Check[]
  readonly limits: PayloadLimits & { readonly maxBodyBytes: number }
  /** Larger bodies, in bytes, go to a thread. */
  readonly threshold: number
  readonly metrics: Pick<Metrics, 'observePayload'>
  /** The paths of the route, such as `/payload` and `/v1/payload`. */
  readonly paths: readonly string[]
}

/** @param url of the request, which is a POST */
export type PayloadFastPath = (request: Request, url: string) => Response | Promise<Response> | undefined

/**
 * Answers a plain `POST /payload` exactly as the Hono app would, without its dispatch: the one route whose clients count
 * microseconds. The accounting, the checks and the analysis are the app's own functions, and a property test compares the
 * two responses, metrics and log lines for generated requests.
 *
 * @returns undefined for any other request: the app answers it
 */
export function createPayloadFastPath(options: FastPathOptions): PayloadFastPath {
  const { tracker, problemResponse, onError, limits, threshold, metrics } = options
  const check = allChecks(options.checks)
  const analyze = createPayloadAnalyzer(limits)
  const isPayloadUrl = createUrlMatcher(options.paths)
  const maxLength = Math.min(threshold, limits.maxBodyBytes)

  const respond = (context: RequestContext, bytes: Uint8Array): Response => {
    if (context.logsBytes) context.requestBytes = bytes.byteLength
    const result = analyze(bytes)
    if (!result.ok) return problemResponse(context, inputProblem(result.error))
    const { summary } = result
    metrics.observePayload(summary.numeric_analysis.count, summary.text_analysis.character_count)
    return respondJson(context, summary)
  }

  /** One promise settles the response and the deadline. */
  const answer = (
    request: Request,
    context: RequestContext,
    length: number,
    checked: Promise<Problem | undefined> | undefined,
  ): Promise<Response> =>
    new Promise((resolve) => {
      const settle = (response: Response): void => resolve(tracker.finish(context, response))
      const fail = (error: unknown): void => settle(onError(error, context))
      const read = (): void => {
        context.beginBody(length)
        request.bytes().then(
          (bytes) => {
            context.endBody()
            try {
              settle(respond(context, bytes))
            } catch (error) {
              fail(error)
            }
          },
          () => settle(problemResponse(context, incompleteBody)),
        )
      }
      context.onAbort = (reason) => settle(problemResponse(context, abortProblems[reason]))
      if (checked === undefined) read()
      else
        checked.then(
          (problem) => (problem === undefined ? read() : settle(problemResponse(context, problem))),
          fail,
        )
    })

  return (request, url) => {
    if (!isPayloadUrl(url)) return undefined
    const length = contentLength(request)
    // Written so that NaN, a body without a length, goes to the app as well.
    if (!(length <= maxLength) || checkBodyHeaders(request, length, maxLength) !== undefined) return undefined
    if (checkHost('POST', url, request.headers) !== undefined) return undefined
    const context = tracker.begin(request, url)
    context.route = '/payload'
    try {
      const problem = check(request, context)
      if (problem === undefined || problem instanceof Promise)
        return answer(request, context, length, problem)
      return tracker.finish(context, problemResponse(context, problem))
    } catch (error) {
      return tracker.finish(context, onError(error, context))
    }
  }
}

/** Clients repeat their URL, so the last match is cached. */
function createUrlMatcher(paths: readonly string[]): (url: string) => boolean {
  let lastMatch = ''
  return (url) => {
    if (url === lastMatch) return true
    if (!url.endsWith('/payload')) return false
    const path = url.slice(url.indexOf('/', url.indexOf('://') + 3))
    if (!paths.includes(path)) return false
    lastMatch = url
    return true
  }
}
