import type { InputError } from './parse/input-error.ts'
import { parseJson } from './parse/parse-json.ts'
import { type ParsedPayload, parsePayload } from './parse/parse-payload.ts'
import { toInputError } from './parse/validation-issues.ts'
import {
  type Analysis,
  analyze,
  analyzeScanned,
  isPayload,
  type Payload,
  type PayloadLimits,
  payloadSchema,
  type Summary,
} from './payload.ts'

/** JSON.parse handles smaller payloads: it is faster there than the parser that scans the bytes. */
const scanMinBytes = 512

/** A payload's analysis, or the reason for its rejection. Small for every payload. */
export type PayloadResult =
  | { readonly ok: true; readonly summary: Summary }
  | { readonly ok: false; readonly error: InputError }

/** Runs a step and records it, for example as a span of a trace. */
export type RunStep = <T>(name: string, step: () => T) => T

interface Steps {
  readonly scan: (bytes: Uint8Array) => ParsedPayload | undefined
  readonly analyzeScanned: (payload: ParsedPayload) => Analysis
  readonly isValid: (value: unknown) => value is Payload
  readonly analyze: (payload: Payload) => Analysis
}

/**
 * Creates the analyzer of POST /payload bodies. It does all work from the bytes to the summary in one call, so that a
 * thread can run it. It calls `release` as soon as it no longer needs the bytes.
 *
 * @param span runs the steps `validation` and `analysis`. Default: direct calls.
 * @example createPayloadAnalyzer(limits)(Buffer.from('{"numbers":[1,2],"text":"a"}')) // { ok: true, summary: … }
 */
export function createPayloadAnalyzer(
  limits: PayloadLimits,
  span?: RunStep,
): (bytes: Uint8Array, release?: () => void) => PayloadResult {
  const steps = span === undefined ? createSteps(limits) : recordSteps(createSteps(limits), span)
  // Created for the first invalid input: only the schema reports the issues.
  let schema: ReturnType<typeof payloadSchema> | undefined
  return (bytes, release) => {
    const scanned = bytes.length < scanMinBytes ? undefined : steps.scan(bytes)
    if (scanned !== undefined) {
      release?.()
      return { ok: true, summary: summarize(steps.analyzeScanned, scanned) }
    }
    const body = parseJson(bytes, release)
    if (!body.ok) return body
    const payload = body.value
    if (!steps.isValid(payload)) {
      schema ??= payloadSchema(limits)
      return { ok: false, error: toInputError(schema.safeParse(payload).error ?? { issues: [] }) }
    }
    return { ok: true, summary: summarize(steps.analyze, payload) }
  }
}

/** Analyzes a payload that `payloadSchema` has accepted, and measures the duration. */
export function analyzeParsed(payload: Payload): Summary {
  return summarize(analyze, payload)
}

function createSteps(limits: PayloadLimits): Steps {
  return {
    scan: (bytes) => parsePayload(bytes, limits),
    analyzeScanned: ({ numbers, text }) => analyzeScanned(numbers, text),
    isValid: (value): value is Payload => isPayload(value, limits),
    analyze,
  }
}

function recordSteps(steps: Steps, span: RunStep): Steps {
  return {
    scan: (bytes) => span('validation', () => steps.scan(bytes)),
    analyzeScanned: (payload) => span('analysis', () => steps.analyzeScanned(payload)),
    isValid: (value): value is Payload => span('validation', () => steps.isValid(value)),
    analyze: (payload) => span('analysis', () => steps.analyze(payload)),
  }
}

function summarize<P>(analyzePayload: (payload: P) => Analysis, payload: P): Summary {
  const start = performance.now()
  const { numeric_analysis, text_analysis } = analyzePayload(payload)
  const processing_time_ms = Math.round((performance.now() - start) * 100) / 100
  return { numeric_analysis, text_analysis, processing_time_ms }
}
