import type { Log } from '../telemetry/log/log.ts'
import { type Problem, type ProblemResponse, problemStatus } from './problem.ts'
import type { RequestContext } from './request-context.ts'

/** How often one cause is logged in full, in ms. */
const intervalMs = 60_000
/** Causes that are remembered: their texts may differ in every request. */
const maxCauses = 100

/**
 * Logs the failures that problems stand for in full, with stack and causes, under the request id. Every access line
 * names its own cause; a cause that repeats, such as a database that is away, is logged in full once a minute.
 *
 * @param now milliseconds of a monotonic clock; default performance.now
 */
export function logFailures(
  respond: ProblemResponse,
  log: Pick<Log, 'error'>,
  now: () => number = () => performance.now(),
): ProblemResponse {
  const logged = new Map<string, { readonly at: number; repeated: number }>()

  const report = (context: RequestContext, { code, cause }: Problem): void => {
    const { requestId, route, trace } = context
    const key = `${code} ${context.cause}`
    const last = logged.get(key)
    if (last !== undefined && now() - last.at < intervalMs) {
      last.repeated++
      return
    }
    logged.delete(key)
    logged.set(key, { at: now(), repeated: 0 })
    const [oldest] = logged.keys()
    if (logged.size > maxCauses && oldest !== undefined) logged.delete(oldest)
    log.error('request failed', {
      request_id: requestId,
      route,
      code,
      ...trace?.ids,
      ...(last !== undefined && last.repeated > 0 && { repeated: last.repeated }),
      error: cause,
    })
  }

  return function respondAndLog(context, problem) {
    const response = respond(context, problem)
    // A text is a decision of this service, such as a passed deadline: the access line says all of it.
    if (hasFailed(problem)) report(context, problem)
    return response
  }
}

function hasFailed({ code, status = problemStatus(code), cause }: Problem): boolean {
  return status >= 500 && cause !== undefined && (typeof cause !== 'string' || code === 'internal-error')
}
