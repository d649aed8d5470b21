import { type Analysis, analyze, isPayload, type PayloadLimits, payloadSchema } from '../analysis/payload.ts'
import { parseJson } from './body.ts'
import { fieldErrors, summarize } from './field-errors.ts'
import type { Refusal } from './problem.ts'

/** What becomes of a payload: its analysis and the time that took, or why there is none. Small, whatever the payload. */
export type PayloadOutcome =
  | ({ readonly ok: true; readonly processing_time_ms: number } & Analysis)
  | { readonly ok: false; readonly refusal: Refusal }

/**
 * Makes the function from the bytes of a body to its outcome: everything that POST /payload does with a body, in one
 * call that a thread can make. `release` is called as soon as the bytes are needed no more.
 */
export function payloadOutcomeOf(
  limits: PayloadLimits,
): (bytes: Uint8Array, release?: () => void) => PayloadOutcome {
  const schema = payloadSchema(limits)
  return (bytes, release) => {
    const body = parseJson(bytes, release)
    if (!body.ok) return body
    const payload = body.value
    if (!isPayload(payload, limits)) return { ok: false, refusal: invalidPayload(schema, payload) }
    const start = performance.now()
    const analysis = analyze(payload)
    return { ok: true, ...analysis, processing_time_ms: Math.round((performance.now() - start) * 100) / 100 }
  }
}

/** What is wrong with a value that is no payload. */
export function invalidPayload(schema: ReturnType<typeof payloadSchema>, value: unknown): Refusal {
  const errors = fieldErrors(schema.safeParse(value).error ?? { issues: [] })
  return { code: 'invalid-input', detail: summarize(errors), errors }
}
