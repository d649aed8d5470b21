import { createMiddleware } from 'hono/factory'
import type { Env } from '../env.ts'
import { type Problem, ProblemError } from '../problem.ts'
import type { RequestContext } from '../request-context.ts'

/**
 * Decides whether a request may continue, before its body is read. It may leave response headers in the context. The app runs
 * checks as middleware, the fast path calls them directly, so both refuse the same requests.
 *
 * @returns the problem that refuses the request, or undefined; a promise only when the decision needs one
 */
export type Check = (
  request: Request,
  context: RequestContext,
) => Problem | undefined | Promise<Problem | undefined>

/** Runs checks in order. The first problem decides, and later checks do not run. */
export function allChecks(checks: readonly Check[]): Check {
  const run = (from: number, request: Request, context: RequestContext): ReturnType<Check> => {
    for (let i = from; i < checks.length; i++) {
      const problem = checks[i]?.(request, context)
      if (problem instanceof Promise) return problem.then((first) => first ?? run(i + 1, request, context))
      if (problem !== undefined) return problem
    }
    return undefined
  }
  return (request, context) => run(0, request, context)
}

/** A check for preflights alone, which CORS answers before any other check. */
export const forPreflights =
  (check: Check): Check =>
  (request, context) =>
    request.method === 'OPTIONS' ? check(request, context) : undefined

/** The checks as one middleware: each further one would cost a request more than most checks do. */
export function asMiddleware(...checks: readonly Check[]) {
  const check = allChecks(checks)
  // Not an async function: checks seldom wait, and then `next()` is the only promise.
  return createMiddleware<Env>(function runChecks(c, next) {
    const problem = check(c.env?.headRequest ?? c.req.raw, c.get('request'))
    if (problem === undefined) return next()
    if (!(problem instanceof Promise)) throw new ProblemError(problem)
    return problem.then((first) => {
      if (first !== undefined) throw new ProblemError(first)
      return next()
    })
  })
}
