import { z } from 'zod'
import { summarizeIssues, toValidationIssues } from '../analysis/parse/validation-issues.ts'
import { type ProblemCode, ProblemError } from './problem.ts'

interface ValidationResult {
  readonly success: boolean
  readonly error?: { readonly issues: readonly z.core.$ZodIssue[] }
}

/** A hook for `zValidator` that refuses invalid input with a problem naming each field. */
const problemHook =
  (code: ProblemCode) =>
  (result: ValidationResult): void => {
    if (result.error === undefined) return
    const errors = toValidationIssues(result.error)
    throw new ProblemError({ code, detail: summarizeIssues(errors), errors })
  }

/**
 * Options for `zValidator`: a check answers for usual valid input, and the schema for all other. Schemas here are
 * synchronous, and awaiting one costs more than running it.
 *
 * @param isValid accepts only what the schema accepts, and what the schema does not change
 */
export const acceptIf = <Value>(isValid: (value: unknown) => value is Value) => ({
  validationFunction: <Schema extends z.ZodType<Value>>(schema: Schema, value: unknown) =>
    isValid(value) ? { success: true as const, data: value } : schema.safeParse(value),
})

export const invalidBody = problemHook('invalid-input')
export const invalidQuery = problemHook('invalid-query')

/** The query parameter `limit` of a list: the documents or tasks on a page. */
export const pageLimit = (max: number) =>
  z.coerce
    .number('must be a number')
    .int('must be a whole number')
    .min(1, 'must be at least 1')
    .max(max, `must be at most ${max}`)
    .default(100)

/** The query parameter `cursor` of a list. */
export const pageCursor = (maxLength: number) =>
  z.string().max(maxLength, 'was not issued by this service').optional()
