import { PoolFull } from '../analysis/pool/thread-pool.ts'
import { IdempotencyMismatch } from '../database/idempotency.ts'
import { InvalidCursor } from '../database/invalid-cursor.ts'
import { DocumentExists, PreconditionFailed, StoreUnavailable } from '../documents/document-store.ts'
import { QueueFull, QueueUnavailable, TaskNotFailed } from '../tasks/task-queue.ts'
import { overloaded } from './body/body-buffer.ts'
import type { Refusal } from './problem.ts'

/**
 * What an error of the domain is to HTTP. Whatever is not in here is nobody's refusal but our fault: 500.
 *
 * @returns undefined for an error that is not of the domain
 */
export function refusalOf(error: unknown): Refusal | undefined {
  if (error instanceof DocumentExists)
    return { code: 'document-exists', detail: 'A document with this id exists already.' }
  if (error instanceof PreconditionFailed)
    return { code: 'precondition-failed', detail: 'The document is not in the version that If-Match names.' }
  if (error instanceof IdempotencyMismatch)
    return {
      code: 'idempotency-key-reused',
      detail: 'This Idempotency-Key was used before with another body.',
    }
  if (error instanceof InvalidCursor) return badCursor
  if (error instanceof StoreUnavailable)
    return {
      code: 'store-unavailable',
      detail: 'The documents cannot be reached now. A write that was under way may or may not be kept.',
      headers: { 'retry-after': String(error.retryAfterSeconds) },
    }
  if (error instanceof TaskNotFailed)
    return {
      code: 'task-not-failed',
      detail: `Only a failed task can be retried; this one is ${error.status}.`,
    }
  if (error instanceof QueueFull)
    return {
      code: 'queue-full',
      detail: `${error.capacity} tasks are waiting already.`,
      headers: { 'retry-after': String(error.retryAfterSeconds) },
    }
  if (error instanceof QueueUnavailable)
    return {
      code: 'queue-unavailable',
      detail: 'Tasks cannot be reached now. One that was being accepted may or may not be kept.',
      headers: { 'retry-after': String(error.retryAfterSeconds) },
    }
  if (error instanceof PoolFull) return overloaded
  return undefined
}

const badCursor: Refusal = {
  code: 'invalid-query',
  detail: 'cursor is not one that a page has given.',
  errors: [{ pointer: '/cursor', detail: 'is not one that a page has given', code: 'invalid-value' }],
}
