import { z } from 'zod'
import { type PayloadLimits, taskPayloadSchema } from '../payload.ts'
import { fingerprint } from './fingerprint.ts'
import type { InputError } from './input-error.ts'
import { parseJson } from './parse-json.ts'
import { toInputError } from './validation-issues.ts'

/** What the body of POST /tasks asks for, or why it was rejected. */
export type NewTaskResult =
  | {
      readonly ok: true
      /** As JSON text: what the queue stores. */
      readonly payload: string
      /** Of the body as it was sent; computed only for a request with an Idempotency-Key. */
      readonly fingerprint: string | undefined
    }
  | { readonly ok: false; readonly error: InputError }

/** The schema of the body of POST /tasks, and the source of its OpenAPI description. */
export function newTaskSchema(limits: PayloadLimits) {
  return z
    .strictObject({ payload: taskPayloadSchema(limits) })
    .meta({ id: 'NewTask', example: { payload: 'Sample text for analysis' } })
}

/**
 * Creates the parser of POST /tasks bodies: everything between the bytes and the queue in one call, so that a
 * thread can do it. Serializing a large payload again takes longer than parsing it.
 *
 * The parser calls `release` as soon as the bytes are no longer needed.
 */
export function createNewTaskParser(
  limits: PayloadLimits,
): (bytes: Uint8Array, isKeyed: boolean, release?: () => void) => NewTaskResult {
  let schema: ReturnType<typeof newTaskSchema> | undefined
  return (bytes, isKeyed, release) => {
    schema ??= newTaskSchema(limits)
    const body = parseJson(bytes, release)
    if (!body.ok) return body
    const parsed = schema.safeParse(body.value)
    if (!parsed.success) return { ok: false, error: toInputError(parsed.error) }
    return {
      ok: true,
      payload: JSON.stringify(parsed.data.payload),
      fingerprint: isKeyed ? fingerprint(body.text) : undefined,
    }
  }
}
