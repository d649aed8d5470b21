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
  createMiddleware<Env>(function requestContext(c, next) {
    const request = c.env?.headRequest ?? c.req.raw
    const context = tracker.begin(request)
    c.set('request', context)
    const refuse = (problem: Problem): Response => {
      const response = problemResponse(context, problem)
      tracker.finish(context, response)
      return response
    }
    const invalid = checkHost(request)
    if (invalid !== undefined) return Promise.resolve(refuse(invalid))

    // Most paths are their own template. Of the routes that match, the last one is the handler.
    context.route = labels.get(c.req.path) ?? labels.get(routePath(c, -1)) ?? context.route
    context.isQuiet = quietPaths.has(c.req.path)
    return new Promise((resolve) => {
      context.onTimeout = () => resolve(refuse(requestTimeout))
      const finish = (): void => {
        tracker.finish(context, c.res)
        resolve()
      }
      // Hono renders errors. What is no Error comes through to here.
      next().then(finish, (thrown: unknown) => {
        c.res = onError(thrown, context)
        finish()
      })
    })
  })
