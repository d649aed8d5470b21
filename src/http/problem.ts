import type { InputError, ValidationIssue } from '../analysis/parse/input-error.ts'
import { maxIssues } from '../analysis/parse/validation-issues.ts'
import type { CheckTimedOut } from '../documents/checking/document-checker.ts'
import type { DocumentStoreError } from '../documents/document-store.ts'
import type { TaskQueueError } from '../tasks/task-queue.ts'
import { describeError } from '../telemetry/log/describe-error.ts'
import type { PoolFull } from '../threads/thread-pool.ts'
import type { ResponsesBusy } from './body/byte-budget.ts'
import type { RequestContext } from './request-context.ts'
import { respondText } from './respond.ts'

/** Every problem this service answers with, by its stable code. */
const problems = {
  'invalid-host': [400, 'Invalid Host header'],
  'invalid-target': [400, 'Invalid request target'],
  'malformed-json': [400, 'Malformed JSON'],
  'not-utf-8': [400, 'Body is not UTF-8'],
  'invalid-input': [400, 'Invalid request body'],
  'invalid-query': [400, 'Invalid query parameter'],
  'invalid-header': [400, 'Invalid request header'],
  'incomplete-body': [400, 'Incomplete request body'],
  unauthorized: [401, 'Authentication required'],
  forbidden: [403, 'Permission denied'],
  'not-found': [404, 'Not found'],
  'method-not-allowed': [405, 'Method not allowed'],
  'task-not-failed': [409, 'Task has not failed'],
  'task-ended': [409, 'Task has ended'],
  'document-exists': [409, 'Document already exists'],
  'precondition-failed': [412, 'Precondition failed'],
  'body-timeout': [408, 'Request body timed out'],
  'body-too-large': [413, 'Request body too large'],
  'unsupported-media-type': [415, 'Unsupported media type'],
  'idempotency-key-reused': [422, 'Idempotency key reused'],
  'queue-full': [429, 'Task queue is full'],
  'rate-limited': [429, 'Rate limit exceeded'],
  'injected-fault': [503, 'Injected fault'],
  'internal-error': [500, 'Internal server error'],
  overloaded: [503, 'Service overloaded'],
  'auth-unavailable': [503, 'Authentication unavailable'],
  'request-timeout': [503, 'Request timed out'],
  'queue-unavailable': [503, 'Task queue unavailable'],
  'store-unavailable': [503, 'Document store unavailable'],
  'validation-timeout': [503, 'Document validation timed out'],
} as const satisfies Record<string, readonly [status: number, title: string]>

export type ProblemCode = keyof typeof problems

/** Problems with the content of a body: `VALIDATION_STATUS` moves them from 400 to 422. */
const validationCodes: ReadonlySet<ProblemCode> = new Set(['malformed-json', 'not-utf-8', 'invalid-input'])

export const problemType = 'application/problem+json'

/** Why a request is refused. `createProblemResponse` renders it. */
export interface Problem {
  readonly code: ProblemCode
  readonly detail: string
  /** Default: the status of the code. */
  readonly status?: number
  readonly errors?: readonly ValidationIssue[] | undefined
  readonly headers?: Readonly<Record<string, string>>
  /** Why, for the log and never for the client: an error or a text. */
  readonly cause?: unknown
}

/** Refuses a request from anywhere in a handler or middleware; `onError` answers with the problem. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError'
  constructor(readonly problem: Problem) {
    super(problem.detail)
  }
}

/** The status of a problem, as documented. */
export function problemStatus(code: ProblemCode, validationStatus: 400 | 422 = 400): number {
  return validationCodes.has(code) ? validationStatus : problems[code][0]
}

/** The title of a problem. */
export function problemTitle(code: ProblemCode): string {
  return problems[code][1]
}

export type ProblemResponse = (context: RequestContext, problem: Problem) => Response

/**
 * Makes the function that renders problems as `application/problem+json` (RFC 9457).
 *
 * @param validationStatus the status for bodies whose content is invalid
 */
export function createProblemResponse(validationStatus: 400 | 422): ProblemResponse {
  return (context, problem) => {
    const { code, detail, errors, headers, cause, status = problemStatus(code, validationStatus) } = problem
    context.problem = code
    if (status >= 500) context.cause = describeError(cause ?? detail)
    const body = {
      type: `urn:tally:problem:${code}`,
      title: problemTitle(code),
      status,
      detail,
      code,
      request_id: context.requestId,
      ...(errors === undefined ? {} : { errors: errors.slice(0, maxIssues) }),
    }
    return respondText(context, JSON.stringify(body), problemType, status, headers)
  }
}

/** The problem of a body that cannot be used. */
export function inputProblem({ code, detail, issues }: InputError): Problem {
  return { code, detail, errors: issues }
}

/** The problem of an error that no request causes. */
export function internalError(error: unknown): Problem {
  return {
    code: 'internal-error',
    detail: 'An internal error occurred. Its cause is in the log under the request id.',
    cause: error ?? String(error),
  }
}

type DomainError = DocumentStoreError | TaskQueueError | PoolFull | CheckTimedOut | ResponsesBusy

const preconditionDetails = {
  ifMatch: 'The current version of the document does not match If-Match.',
  ifNoneMatch: 'The document exists, or has a version named in If-None-Match.',
} as const

const retryAfter = (seconds: number) => ({ 'retry-after': String(seconds) })

/** The HTTP problem of each domain error, by its code. */
const domainProblems: {
  readonly [Code in DomainError['code']]: (error: Extract<DomainError, { code: Code }>) => Problem
} = {
  'document-exists': () => ({
    code: 'document-exists',
    detail: 'A document with this id already exists.',
  }),
  'precondition-failed': ({ condition }) => ({
    code: 'precondition-failed',
    detail: preconditionDetails[condition],
  }),
  'idempotency-key-reused': () => ({
    code: 'idempotency-key-reused',
    detail: 'This Idempotency-Key was already used with a different body.',
  }),
  'invalid-cursor': () => ({
    code: 'invalid-query',
    detail: 'cursor was not issued by this service.',
    errors: [{ pointer: '/cursor', detail: 'was not issued by this service', code: 'invalid-value' }],
  }),
  'store-unavailable': ({ retryAfterSeconds, cause }) => ({
    code: 'store-unavailable',
    detail: 'The document store is unavailable. A write in progress may or may not have been stored.',
    headers: retryAfter(retryAfterSeconds),
    cause,
  }),
  'task-not-failed': ({ status }) => ({
    code: 'task-not-failed',
    detail: `Only failed tasks can be retried; this task is ${status}.`,
  }),
  'task-ended': ({ status }) => ({
    code: 'task-ended',
    detail: `Only pending and processing tasks can be cancelled; this task is ${status}.`,
  }),
  'queue-full': ({ capacity, retryAfterSeconds }) => ({
    code: 'queue-full',
    detail: `The queue already holds ${capacity} waiting tasks.`,
    headers: retryAfter(retryAfterSeconds),
  }),
  'queue-unavailable': ({ retryAfterSeconds, cause }) => ({
    code: 'queue-unavailable',
    detail: 'The task queue is unavailable. A task being added may or may not have been stored.',
    headers: retryAfter(retryAfterSeconds),
    cause,
  }),
  'validation-timeout': ({ timeoutMs }) => ({
    code: 'validation-timeout',
    detail: `The document was not validated within ${timeoutMs} ms.`,
    headers: retryAfter(1),
  }),
  'pool-full': () => largeBodiesBusy,
  'responses-busy': ({ message }) => ({
    code: 'overloaded',
    detail: 'Too many large responses are being read. Retry shortly.',
    cause: message,
    headers: retryAfter(1),
  }),
}

/** Large bodies are limited by the memory they hold and by the threads that work on them. */
export const largeBodiesBusy: Problem = {
  code: 'overloaded',
  detail: 'Too many large bodies are being processed. Retry shortly.',
  headers: retryAfter(1),
}

/**
 * Maps an error to its problem.
 *
 * @returns undefined for an error that no request causes: see `internalError`
 */
export function toProblem(error: unknown): Problem | undefined {
  if (error instanceof ProblemError) return error.problem
  if (!(error instanceof Error && 'code' in error)) return undefined
  const { code } = error
  if (typeof code !== 'string' || !Object.hasOwn(domainProblems, code)) return undefined
  const toDomainProblem = domainProblems[code as DomainError['code']] as (error: unknown) => Problem
  return toDomainProblem(error)
}
