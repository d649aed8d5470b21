import type { z } from 'zod'
import type { InputError, ValidationIssue } from './input-error.ts'

/** Maximum number of issues to report for one input. A body may contain millions of wrong items. */
export const maxIssues = 20

/**
 * Converts the issues of a failed zod validation to a JSON pointer, a sentence and a stable code each. The result does
 * not repeat values from the caller, except names of unknown keys, truncated to 100 characters.
 *
 * @example toValidationIssues(error) // [{ pointer: '/numbers/3', detail: 'must be a number', code: 'type' }]
 */
export function toValidationIssues(error: {
  readonly issues: readonly z.core.$ZodIssue[]
}): ValidationIssue[] {
  const issues = error.issues.flatMap((issue): ValidationIssue | ValidationIssue[] => {
    if (issue.code === 'unrecognized_keys')
      return issue.keys.slice(0, maxIssues).map((key) => ({
        pointer: formatPointer([...issue.path, key.slice(0, 100)]),
        detail: 'is not allowed here',
        code: 'unknown',
      }))
    return { pointer: formatPointer(issue.path), detail: formatDetail(issue), code: toIssueCode(issue) }
  })
  return explainUnwrapped(issues)
}

/** The members of a payload; in a task they belong inside `payload`. */
const payloadPointers: ReadonlySet<string> = new Set(['/numbers', '/text'])

/** If a task has a payload's members but no `payload`, explains how to wrap them. */
function explainUnwrapped(issues: ValidationIssue[]): ValidationIssue[] {
  const isUnwrapped = issues.some(({ pointer, code }) => code === 'unknown' && payloadPointers.has(pointer))
  if (!isUnwrapped) return issues
  return issues.map((issue) =>
    issue.pointer === '/payload' && issue.code === 'missing'
      ? { ...issue, detail: 'is required: send {"payload": {"numbers": […], "text": "…"}}' }
      : issue,
  )
}

/** One sentence for a problem's `detail`: the first issue and the number of further ones. */
export function summarizeIssues(issues: readonly ValidationIssue[]): string {
  const [first] = issues
  if (first === undefined) return 'The input is invalid.'
  const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : ''
  return `${first.pointer === '' ? 'The body' : first.pointer} ${first.detail}${more}`
}

/** The input error for a value that a schema rejects. */
export function toInputError(error: { readonly issues: readonly z.core.$ZodIssue[] }): InputError {
  const issues = toValidationIssues(error)
  return { code: 'invalid-input', detail: summarizeIssues(issues), issues }
}

function formatPointer(path: readonly PropertyKey[]): string {
  return path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}

function toIssueCode(issue: z.core.$ZodIssue): string {
  if (issue.code === 'custom') return String(issue.params?.code ?? 'invalid')
  // An unknown discriminator of a union is like a wrong value of an enumeration.
  if (issue.code === 'invalid_union' && 'discriminator' in issue) return 'invalid-value'
  // An issue does not contain its input. Only zod's message shows that the input was absent.
  if (issue.code === 'invalid_type') return issue.message.endsWith('received undefined') ? 'missing' : 'type'
  return issue.code.replaceAll('_', '-')
}

function formatDetail(issue: z.core.$ZodIssue): string {
  return issue.code === 'invalid_type' ? `must be of type ${issue.expected}` : issue.message
}
