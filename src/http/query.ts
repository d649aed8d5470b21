import { zValidator } from '@hono/zod-validator'
import type { Context, Handler } from 'hono'
import { z } from 'zod'
import { summarizeIssues, toValidationIssues } from '../analysis/parse/validation-issues.ts'
import type { Problems } from './problem.ts'
import type { Exchange } from './request-context.ts'
import type { Env } from './route.ts'

/**
 * A handler that gets its query validated: a query that the schema refuses is answered with a problem that
 * names the parameter.
 *
 * @param schemaOf makes the schema, once, for the first request.
 */
export function withQuery<Schema extends z.ZodType>(
  schemaOf: () => Schema,
  problems: Problems,
  handle: (c: Context<Env>, query: z.output<Schema>) => Response | Promise<Response>,
): Handler<Env> {
  const validator = () =>
    zValidator('query', schemaOf(), (result, c) => {
      if (result.success) return undefined
      const errors = toValidationIssues(result.error)
      return problems.answer(c.env as Exchange, {
        code: 'invalid-query',
        detail: summarizeIssues(errors),
        errors,
      })
    })
  let validate: ReturnType<typeof validator> | undefined
  return async (c) => {
    validate ??= validator()
    let answer: Response | undefined
    const refused = await validate(c as never, async () => {
      answer = await handle(c, c.req.valid('query' as never))
    })
    return (refused as Response | undefined) ?? answer
  }
}

/** The parameter `limit` of a list: how many a page has, 100 unless told. */
export const pageLimit = (max: number) =>
  z.coerce
    .number('must be a number')
    .int('must be a whole number')
    .min(1, 'must be at least 1')
    .max(max, `must be at most ${max}`)
    .default(100)
