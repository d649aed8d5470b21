import {
  type Analysis,
  analyze,
  isPayload,
  type Payload,
  type PayloadLimits,
  payloadSchema,
  type Summary,
} from '../analysis/payload.ts'
import type { Tracing } from '../tracing/tracing.ts'
import { parseJson } from './body.ts'
import { fieldErrors, summarize } from './field-errors.ts'
import type { Refusal } from './problem.ts'

/** What becomes of a payload: its analysis and the time that took, or why there is none. Small, whatever the payload. */
export type PayloadOutcome =
  | { readonly ok: true; readonly summary: Summary }
  | { readonly ok: false; readonly refusal: Refusal }

/** What happens to a payload that is parsed. */
export interface PayloadSteps {
  readonly isValid: (value: unknown) => value is Payload
  readonly analyzed: (payload: Payload) => Analysis
}

/** The steps; with tracing each of them is a span. */
export function payloadSteps(limits: PayloadLimits, tracing?: Tracing): PayloadSteps {
  const isValid = (value: unknown): value is Payload => isPayload(value, limits)
  if (tracing === undefined) return { isValid, analyzed: analyze }
  return {
    isValid: (value): value is Payload => tracing.within('validation', {}, () => isValid(value)),
    analyzed: (payload) => tracing.within('analysis', {}, () => analyze(payload)),
  }
}

/**
 * Makes the function from the bytes of a body to its outcome: everything that POST /payload does with a body, in one
 * call that a thread can make. `release` is called as soon as the bytes are needed no more.
 */
export function payloadOutcomeOf(
  limits: PayloadLimits,
  { isValid, analyzed }: PayloadSteps = payloadSteps(limits),
): (bytes: Uint8Array, release?: () => void) => PayloadOutcome {
  // Made when something is wrong for the first time: it says what.
  let schema: ReturnType<typeof payloadSchema> | undefined
  return (bytes, release) => {
    const body = parseJson(bytes, release)
    if (!body.ok) return body
    const payload = body.value
    if (!isValid(payload)) {
      schema ??= payloadSchema(limits)
      return { ok: false, refusal: invalidPayload(schema, payload) }
    }
    const start = performance.now()
    const { numeric_analysis, text_analysis } = analyzed(payload)
    const processing_time_ms = Math.round((performance.now() - start) * 100) / 100
    return { ok: true, summary: { numeric_analysis, text_analysis, processing_time_ms } }
  }
}

/** What is wrong with a value that is no payload. */
function invalidPayload(schema: ReturnType<typeof payloadSchema>, value: unknown): Refusal {
  const errors = fieldErrors(schema.safeParse(value).error ?? { issues: [] })
  return { code: 'invalid-input', detail: summarize(errors), errors }
}
