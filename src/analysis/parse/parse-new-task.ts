import { z } from 'zod'
import { parseJson } from '../../http/body/json-body.ts'
import { fieldErrors, summarize } from '../../http/field-errors.ts'
import { fingerprintOf } from '../../http/headers/idempotency-key.ts'
import type { Refusal } from '../../http/problem.ts'
import { type PayloadLimits, workSchema } from '../payload.ts'

/** What becomes of the body of POST /tasks: a task to keep, or why there is none. */
export type NewTask =
  | {
      readonly ok: true
      /** As JSON text: what the queue keeps. */
      readonly payload: string
      /** Of the body as it was sent; made only when an Idempotency-Key wants it. */
      readonly fingerprint: string | undefined
    }
  | { readonly ok: false; readonly refusal: Refusal }

/** The schema of the body of POST /tasks, and the source of its OpenAPI description. */
export function newTaskSchema(limits: PayloadLimits) {
  return z
    .strictObject({ payload: workSchema(limits) })
    .meta({ id: 'NewTask', example: { payload: 'Sample text for analysis' } })
}

/**
 * Makes the function from the bytes of a body to a new task: everything that POST /tasks does with a body, in one call
 * that a thread can make. Writing a large payload anew takes longer than parsing it.
 */
export function newTaskOf(
  limits: PayloadLimits,
): (bytes: Uint8Array, isKeyed: boolean, release?: () => void) => NewTask {
  let schema: ReturnType<typeof newTaskSchema> | undefined
  return (bytes, isKeyed, release) => {
    schema ??= newTaskSchema(limits)
    const body = parseJson(bytes, release)
    if (!body.ok) return body
    const parsed = schema.safeParse(body.value)
    if (!parsed.success) {
      const errors = fieldErrors(parsed.error)
      return { ok: false, refusal: { code: 'invalid-input', detail: summarize(errors), errors } }
    }
    const fingerprint = isKeyed ? fingerprintOf(body.text) : undefined
    return { ok: true, payload: JSON.stringify(parsed.data.payload), fingerprint }
  }
}
