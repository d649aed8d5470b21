import type { Log } from '../telemetry/log/log.ts'
import { RepetitionFilter } from '../telemetry/log/repetition-filter.ts'
import { type Problem, type ProblemResponse, problemStatus } from './problem.ts'
import type { RequestContext } from './request-context.ts'

/**
 * Logs the failures behind problems in full, with stack and causes, under the request id. Every access line names its
 * own cause; a repeated cause, such as an unreachable database, is logged in full once a minute.
 *
 * @param now milliseconds of a monotonic clock; default performance.now
 */
export function logFailures(
  respond: ProblemResponse,
  log: Pick<Log, 'error'>,
  now?: () => number,
): ProblemResponse {
  const filter = new RepetitionFilter(now)

  const report = (context: RequestContext, { code, cause }: Problem): void => {
    const { requestId, route, trace } = context
    const passed = filter.pass(`${code} ${context.cause}`)
    if (passed === undefined) return
    log.error('request failed', {
      request_id: requestId,
      route,
      code,
      ...trace?.ids,
      ...(passed.repeated !== undefined && { repeated: passed.repeated }),
      error: cause,
    })
  }

  return function respondAndLog(context, problem) {
    const response = respond(context, problem)
    // A text is a decision of this service, such as a passed deadline: the access line has all of it.
    if (hasFailed(problem)) report(context, problem)
    return response
  }
}

function hasFailed({ code, status = problemStatus(code), cause }: Problem): boolean {
  return status >= 500 && cause !== undefined && (typeof cause !== 'string' || code === 'internal-error')
}
