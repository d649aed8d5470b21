import type { Context, MiddlewareHandler } from 'hono'
import { createMiddleware } from 'hono/factory'
import type { AbortReason } from '../body/body-arrivals.ts'
import type { Env } from '../env.ts'
import type { Problem, ProblemResponse } from '../problem.ts'
import type { RequestContext } from '../request-context.ts'
import type { RequestTracker } from '../request-tracker.ts'
import type { RouteTable } from '../route-table.ts'
import { checkHost } from './host.ts'

export interface RequestContextOptions {
  readonly tracker: RequestTracker
  readonly table: RouteTable
  readonly problemResponse: ProblemResponse
  /** Renders any value that a handler throws. */
  readonly onError: (error: unknown, context: RequestContext) => Response
  /** Lets pages of other origins read a 404 or 405 as well. Default: they may not. */
  readonly cors?: MiddlewareHandler<Env> | undefined
}

/** The problem of an aborted request. The rest of its body is not read. */
export const abortProblems: Readonly<Record<AbortReason, Problem>> = {
  timeout: {
    code: 'request-timeout',
    detail: 'The request was not completed in time.',
    cause: 'the handler exceeded REQUEST_TIMEOUT',
    headers: { 'retry-after': '1' },
  },
  'body-timeout': {
    code: 'body-timeout',
    detail: 'The body arrived too slowly.',
    headers: { connection: 'close' },
  },
  'body-shed': {
    code: 'overloaded',
    detail: 'Too many bodies are arriving, and this one was slow.',
    cause: 'more than MAX_IN_FLIGHT bodies arriving, or no room for them in MAX_HELD_BYTES',
    headers: { 'retry-after': '1', connection: 'close' },
  },
}

const invalidTarget: Problem = {
  code: 'invalid-target',
  detail: 'The path must be written literally: no dot segments, backslashes, escapes or fragment.',
}

/**
 * The outermost middleware: names the request, refuses a bad Host, enforces the deadline, then counts and logs the
 * response.
 */
export const requestContext = ({ tracker, table, problemResponse, onError, cors }: RequestContextOptions) => {
  /** A 404 or 405 depends neither on credentials nor on load, so no other middleware but CORS sees it. */
  const answerUnmatched = async (c: Context<Env>): Promise<Response> => {
    const isPreflight = c.req.header('access-control-request-method') !== undefined
    if (cors === undefined || table.isProbe(c.req.path) || (c.req.method === 'OPTIONS' && !isPreflight))
      return c.notFound()
    const preflight = await cors(c, async () => {
      c.res = await c.notFound()
    })
    return preflight ?? c.res
  }
  return createMiddleware<Env>(function requestContext(c, next) {
    const request = c.env?.headRequest ?? c.req.raw
    const { method, headers } = request
    const url = c.env?.url ?? c.req.url
    const context = tracker.begin(request, url)
    c.set('request', context)
    const refuse = (problem: Problem): Response => tracker.finish(context, problemResponse(context, problem))
    const invalid = checkHost(method, url, headers)
    if (invalid !== undefined) return Promise.resolve(refuse(invalid))

    const label = table.findLabel(c, method)
    if (label === undefined) return answerUnmatched(c).then((response) => tracker.finish(context, response))
    context.route = label
    context.isProbe = table.isProbe(c.req.path)
    if (context.isProbe && c.env?.isLiteral === false) return Promise.resolve(refuse(invalidTarget))
    return new Promise((resolve) => {
      context.onAbort = (reason) => resolve(refuse(abortProblems[reason]))
      const finish = (): void => {
        tracker.finish(context, c.res)
        resolve()
      }
      // Hono renders errors. Other thrown values arrive here.
      next().then(finish, (thrown: unknown) => {
        c.res = onError(thrown, context)
        finish()
      })
    })
  })
}
