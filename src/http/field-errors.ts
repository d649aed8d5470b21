import type { z } from 'zod'
import { type FieldError, fieldErrorsMax } from './problem.ts'

/**
 * The issues of a failed validation as field errors: a JSON pointer each, a sentence, a stable code.
 * Values of the caller are not repeated, names of unknown keys are (cut to 100 characters; not more of
 * them than a problem tells, for a body may hold millions).
 *
 * @example fieldErrors(error) // [{ pointer: '/numbers/3', detail: 'must be a number', code: 'type' }]
 */
export function fieldErrors(error: { readonly issues: readonly z.core.$ZodIssue[] }): FieldError[] {
  return error.issues.flatMap((issue): FieldError | FieldError[] => {
    if (issue.code === 'unrecognized_keys')
      return issue.keys.slice(0, fieldErrorsMax).map((key) => ({
        pointer: pointer([...issue.path, key.slice(0, 100)]),
        detail: 'is not known here',
        code: 'unknown',
      }))
    return { pointer: pointer(issue.path), detail: detailOf(issue), code: codeOf(issue) }
  })
}

/** One sentence for a problem's `detail`: the first error, and how many more there are. */
export function summarize(errors: readonly FieldError[]): string {
  const [first] = errors
  if (first === undefined) return 'The input was refused.'
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : ''
  return `${first.pointer === '' ? 'The body' : first.pointer} ${first.detail}${more}`
}

function pointer(path: readonly PropertyKey[]): string {
  return path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}

function codeOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'custom') return String(issue.params?.code ?? 'invalid')
  // An issue does not carry its input; that it was absent is only in zod's own sentence.
  if (issue.code === 'invalid_type') return issue.message.endsWith('received undefined') ? 'missing' : 'type'
  return issue.code.replaceAll('_', '-')
}

function detailOf(issue: z.core.$ZodIssue): string {
  return issue.code === 'invalid_type' ? `must be of type ${issue.expected}` : issue.message
}
