import type { InputError, ValidationIssue } from '../analysis/parse/input-error.ts'
import { maxIssues } from '../analysis/parse/validation-issues.ts'
import { type Exchange, text } from './request-context.ts'

export type FieldError = ValidationIssue

/** Every problem this service answers with, by its stable code. */
const problems = {
  'bad-host': [400, 'The Host header does not name a host'],
  'malformed-json': [400, 'The body is not JSON'],
  'not-utf-8': [400, 'The body is not UTF-8'],
  'invalid-input': [400, 'The body is not what it should be'],
  'invalid-query': [400, 'The query is not what it should be'],
  'invalid-header': [400, 'A header is not what it should be'],
  'body-not-received': [400, 'The body did not arrive'],
  unauthorized: [401, 'Credentials are needed'],
  forbidden: [403, 'The credentials are not enough'],
  'not-found': [404, 'There is nothing here'],
  'method-not-allowed': [405, 'Not with this method'],
  'task-not-failed': [409, 'The task has not failed'],
  'document-exists': [409, 'The id is taken'],
  'precondition-failed': [412, 'Not the version that was expected'],
  'body-too-large': [413, 'The body is too large'],
  'not-json': [415, 'Only JSON is understood'],
  'idempotency-key-reused': [422, 'The key was used for another request'],
  'queue-full': [429, 'Too many tasks are waiting'],
  'rate-limited': [429, 'Too many requests'],
  'injected-fault': [503, 'Failed on purpose'],
  'internal-error': [500, 'Something went wrong'],
  overloaded: [503, 'Too much work at the moment'],
  'identity-unavailable': [503, 'Tokens cannot be verified'],
  'request-timeout': [503, 'The answer took too long'],
  'queue-unavailable': [503, 'The queue cannot be reached'],
  'store-unavailable': [503, 'The documents cannot be reached'],
} as const satisfies Record<string, readonly [status: number, title: string]>

export type ProblemCode = keyof typeof problems

/** Problems about what a body holds: `VALIDATION_STATUS` moves them from 400 to 422. */
const validation: ReadonlySet<ProblemCode> = new Set(['malformed-json', 'not-utf-8', 'invalid-input'])

export const problemType = 'application/problem+json'

/** A refusal, wherever it is decided; `Problems.answer` makes the response. */
export interface Refusal {
  readonly code: ProblemCode
  readonly detail: string
  /** Default: the one of the code. */
  readonly status?: number
  readonly errors?: readonly FieldError[]
  readonly headers?: Readonly<Record<string, string>>
}

export interface Problems {
  /** The refusal as `application/problem+json` (RFC 9457). */
  answer(exchange: Exchange, refusal: Refusal): Response
}

/** The status of a problem, as documented. */
export function statusOf(code: ProblemCode, validationStatus: 400 | 422 = 400): number {
  return validation.has(code) ? validationStatus : problems[code][0]
}

/** The title of a problem. */
export function titleOf(code: ProblemCode): string {
  return problems[code][1]
}

/** @param validationStatus what a body that is not what it should be is answered with. */
export function createProblems(validationStatus: 400 | 422): Problems {
  return {
    answer(exchange, { code, detail, errors, headers, status = statusOf(code, validationStatus) }) {
      const body = {
        type: `urn:tally:problem:${code}`,
        title: titleOf(code),
        status,
        detail,
        code,
        request_id: exchange.requestId,
        ...(errors === undefined ? {} : { errors: errors.slice(0, maxIssues) }),
      }
      return text(exchange, JSON.stringify(body), problemType, status, headers)
    },
  }
}

/** An input error as a refusal. */
export function toRefusal({ code, detail, issues }: InputError): Refusal {
  return issues === undefined ? { code, detail } : { code, detail, errors: issues }
}

/** Why a body was not accepted: by its head, or by its content. */
export function refusalFrom(
  outcome: { readonly refusal: Refusal } | { readonly error: InputError },
): Refusal {
  return 'refusal' in outcome ? outcome.refusal : toRefusal(outcome.error)
}
