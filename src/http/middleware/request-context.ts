import { createMiddleware } from 'hono/factory'
import { routePath } from 'hono/route'
import type { Env } from '../env.ts'
import type { Problem, ProblemResponse } from '../problem.ts'
import type { RequestContext } from '../request-context.ts'
import type { RequestTracker } from '../request-tracker.ts'
import { checkHost } from './host.ts'

export interface RequestContextOptions {
  readonly tracker: RequestTracker
  readonly problemResponse: ProblemResponse
  /** The label of each registered path, for metrics and logs. */
  readonly labels: ReadonlyMap<string, string>
  /** The paths of probes, scrapes and admin requests. */
  readonly quietPaths: ReadonlySet<string>
  /** Renders whatever a handler throws. */
  readonly onError: (error: unknown, context: RequestContext) => Response
}

export const requestTimeout: Problem = {
  code: 'request-timeout',
  detail: 'The request was not completed in time.',
  headers: { 'retry-after': '1' },
}

/**
 * The outermost middleware: names the request, refuses a bad Host, enforces the deadline, then counts and logs the
 * response.
 */
export const requestContext = ({
  tracker,
  problemResponse,
  labels,
  quietPaths,
  onError,
}: RequestContextOptions) =>
  createMiddleware<Env>(async function requestContext(c, next) {
    const request = c.env?.headRequest ?? c.req.raw
    const context = tracker.begin(request)
    c.set('request', context)
    const refuse = (problem: Problem): Response => {
      const response = problemResponse(context, problem)
      tracker.finish(context, response)
      return response
    }
    const invalid = checkHost(request)
    if (invalid !== undefined) return refuse(invalid)

    // The last route that matches is the handler; middleware paths have no label.
    context.route = labels.get(routePath(c, -1)) ?? context.route
    context.isQuiet = quietPaths.has(c.req.path)
    const isInTime = await new Promise<boolean>((resolve) => {
      context.onTimeout = () => resolve(false)
      next().then(
        () => resolve(true),
        // Hono renders errors. What is no Error comes through to here.
        (thrown: unknown) => {
          c.res = onError(thrown, context)
          resolve(true)
        },
      )
    })
    if (!isInTime) return refuse(requestTimeout)
    tracker.finish(context, c.res)
    return undefined
  })
