import type { Context } from 'hono'
import { createMiddleware } from 'hono/factory'
import { matchedRoutes } from 'hono/route'
import type { Env } from '../env.ts'
import type { Problem, ProblemResponse } from '../problem.ts'
import type { RequestTracker } from '../request-tracker.ts'
import { checkHost } from './host.ts'

export interface RequestContextOptions {
  readonly tracker: RequestTracker
  readonly problemResponse: ProblemResponse
  /** The label of each registered path, for metrics and logs. */
  readonly labels: ReadonlyMap<string, string>
  /** The paths of probes, scrapes and admin requests. */
  readonly quietPaths: ReadonlySet<string>
  /** The path of the routes whose CORS preflight this request is: middleware answers it, though no route matches. */
  readonly findPreflightPath: (c: Context<Env>) => string | undefined
  /** Renders whatever a handler throws. */
  readonly onError: (error: Error, context: RequestContextOf) => Response
}

type RequestContextOf = ReturnType<RequestTracker['begin']>

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
  findPreflightPath,
  onError,
}: RequestContextOptions) =>
  createMiddleware<Env>(function requestContext(c, next) {
    const request = c.env?.headRequest ?? c.req.raw
    const context = tracker.begin(request)
    c.set('request', context)
    const respond = (response: Response): Response => {
      tracker.finish(context, response)
      return response
    }
    const refuse = (problem: Problem): Response => respond(problemResponse(context, problem))
    const invalid = checkHost(request)
    if (invalid !== undefined) return Promise.resolve(refuse(invalid))

    // Middleware is registered for all methods, a handler for one.
    const handler = matchedRoutes(c).findLast(({ method }) => method !== 'ALL')
    const path = handler?.path ?? findPreflightPath(c)
    // A 404 or 405 depends neither on credentials nor on load, so no other middleware sees it.
    if (path === undefined) return Promise.resolve(c.notFound()).then(respond)
    context.route = labels.get(path) ?? context.route
    context.isQuiet = quietPaths.has(c.req.path)
    return new Promise((resolve) => {
      context.onTimeout = () => resolve(refuse(requestTimeout))
      const finish = (): void => {
        tracker.finish(context, c.res)
        resolve()
      }
      // Hono renders errors. What is no Error comes through to here.
      next().then(finish, (thrown: unknown) => {
        c.res = onError(new Error('not an Error was thrown', { cause: thrown }), context)
        finish()
      })
    })
  })
