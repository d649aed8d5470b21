import { z } from 'zod'
import { analyzeInPlace, analyzeNumbers, type NumbersWithRange } from './numeric/numeric.ts'
import { maxIssues } from './parse/validation-issues.ts'
import type { compactSummarySchema, summarySchema } from './summary-schemas.ts'
import { analyzeText, countCodePoints } from './text.ts'

/** The limits of one payload. */
export interface PayloadLimits {
  readonly maxNumbers: number
  /** In code points. */
  readonly maxTextLength: number
}

/**
 * The schema of a payload, and the source of its OpenAPI description.
 *
 * `numbers` is checked by one loop instead of `z.array(z.number())`, which is far slower for a million numbers and
 * collects an issue for each of a million wrong items.
 */
export function payloadSchema({ maxNumbers, maxTextLength }: PayloadLimits) {
  const numbers = z
    .custom<readonly number[]>()
    .meta({
      description: 'Finite JSON numbers. A literal that overflows a double, such as `1e400`, is invalid.',
      override: { type: 'array', items: { type: 'number' }, minItems: 1, maxItems: maxNumbers },
    })
    .superRefine((value: unknown, context) => addIssues(context, findNumbersIssues(value, maxNumbers)))
  const text = z
    .custom<string>()
    .meta({
      description: 'Any text. Its length is counted in code points.',
      override: { type: 'string', minLength: 1, maxLength: maxTextLength },
    })
    .superRefine((value: unknown, context) => addIssues(context, findTextIssues(value, maxTextLength)))
  return z.strictObject({ numbers, text }).meta({
    id: 'Payload',
    description: 'Numbers and a text to analyze.',
    example: { numbers: [1, 2, 3, 4, 5], text: 'Sample text for analysis' },
  })
}

/** The schema of a task's payload: only a text, or numbers and a text. */
export function taskPayloadSchema(limits: PayloadLimits) {
  const payload = payloadSchema(limits)
  return z
    .custom<string | Payload>()
    .meta({
      description: 'A text, or numbers and a text, to analyze.',
      override: {
        oneOf: [
          { type: 'string', minLength: 1, maxLength: limits.maxTextLength },
          { $ref: '#/components/schemas/Payload' },
        ],
      },
    })
    .superRefine((value: unknown, context) => {
      if (value === undefined || typeof value === 'string')
        return addIssues(context, findTextIssues(value, limits.maxTextLength))
      // The payload's own issues: a union would only report that neither form matches.
      for (const issue of payload.safeParse(value).error?.issues ?? []) context.addIssue({ ...issue })
    })
}

export type Payload = z.output<ReturnType<typeof payloadSchema>>

export type Summary = z.output<typeof summarySchema>

/** An analysis without its duration, because the statistics use no clock. */
export type Analysis = Omit<Summary, 'processing_time_ms'>
export type CompactSummary = z.output<typeof compactSummarySchema>

/**
 * Analyzes a payload that the schema has accepted. Pure; the cost is linear in the size of the payload.
 *
 * @example analyze({ numbers: [1, 2, 3], text: 'a b' }).numeric_analysis.mean // 2
 */
export function analyze({ numbers, text }: Payload): Analysis {
  return { numeric_analysis: analyzeNumbers(numbers), text_analysis: analyzeText(text) }
}

/** The same for scanned numbers, which it reorders instead of copying them. */
export function analyzeScanned(numbers: NumbersWithRange, text: string): Analysis {
  return { numeric_analysis: analyzeInPlace(numbers), text_analysis: analyzeText(text) }
}

/** Analyzes a task's payload that the schema has accepted. */
export function analyzeTaskPayload(payload: string | Payload): Analysis | Pick<Analysis, 'text_analysis'> {
  return typeof payload === 'string' ? { text_analysis: analyzeText(payload) } : analyze(payload)
}

/**
 * Whether a parsed JSON value is a payload. Accepts exactly the same values as `payloadSchema`, as a test proves, but
 * faster and without reasons.
 */
export function isPayload(value: unknown, { maxNumbers, maxTextLength }: PayloadLimits): value is Payload {
  if (typeof value !== 'object' || value === null) return false
  const { numbers, text } = value as Partial<Payload>
  let members = 0
  for (const _ in value) members++
  return (
    members === 2 &&
    Array.isArray(numbers) &&
    numbers.length > 0 &&
    numbers.length <= maxNumbers &&
    findInvalidItem(numbers, 0) === -1 &&
    isPayloadText(text, maxTextLength)
  )
}

/** Whether a value is a valid text of a payload. */
export function isPayloadText(value: unknown, maxTextLength: number): value is string {
  return typeof value === 'string' && value.length > 0 && !isTooLong(value, maxTextLength)
}

/** The short form of an analysis (`?format=compact`). */
export function compact({ numeric_analysis: n, text_analysis: t }: Analysis): CompactSummary {
  return {
    numeric: { min: n.minimum, max: n.maximum, mean: n.mean, median: n.median, stddev: n.standard_deviation },
    text: { word_count: t.word_count, char_count: t.character_count },
  }
}

/** One problem of a value, or of its item at `index`. */
interface Issue {
  readonly code: string
  readonly message: string
  readonly index?: number
}

function addIssues(context: z.core.$RefinementCtx, issues: readonly Issue[]): void {
  for (const { code, message, index } of issues) {
    const path = index === undefined ? [] : [index]
    context.addIssue({ code: 'custom', message, params: { code }, path })
  }
}

function findNumbersIssues(value: unknown, maxNumbers: number): Issue[] {
  if (value === undefined) return [{ code: 'missing', message: 'is required' }]
  if (!Array.isArray(value)) return [{ code: 'type', message: 'must be an array of numbers' }]
  if (value.length === 0) return [{ code: 'too-short', message: 'must contain at least one number' }]
  if (value.length > maxNumbers)
    return [{ code: 'too-long', message: `must contain at most ${maxNumbers} numbers, has ${value.length}` }]
  const issues: Issue[] = []
  for (let index = findInvalidItem(value, 0); index !== -1; index = findInvalidItem(value, index + 1)) {
    issues.push(
      typeof value[index] === 'number'
        ? { code: 'not-finite', message: 'exceeds the range of a double', index }
        : { code: 'type', message: 'must be a number', index },
    )
    if (issues.length === maxIssues) break
  }
  return issues
}

/** The index of the first item from `start` on that is not a finite number, or -1. */
function findInvalidItem(items: readonly unknown[], start: number): number {
  for (let index = start; index < items.length; index++) {
    const item = items[index]
    // `item - item` is 0 for finite numbers only: infinity minus infinity is NaN.
    if (typeof item !== 'number' || item - item !== 0) return index
  }
  return -1
}

function findTextIssues(value: unknown, maxTextLength: number): Issue[] {
  if (value === undefined) return [{ code: 'missing', message: 'is required' }]
  if (typeof value !== 'string') return [{ code: 'type', message: 'must be a string' }]
  if (value.length === 0) return [{ code: 'too-short', message: 'must contain at least one character' }]
  return isTooLong(value, maxTextLength)
    ? [{ code: 'too-long', message: `must contain at most ${maxTextLength} characters` }]
    : []
}

/** A code point has one or two code units, so only lengths in between need counting. */
function isTooLong(text: string, maxTextLength: number): boolean {
  return (
    text.length > 2 * maxTextLength || (text.length > maxTextLength && countCodePoints(text) > maxTextLength)
  )
}
