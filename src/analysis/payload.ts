import { z } from 'zod'
import { analyzeInPlace, analyzeNumbers, type NumbersWithRange } from './numeric/numeric.ts'
import { maxIssues } from './parse/validation-issues.ts'
import type { compactSummarySchema, summarySchema } from './summary-schemas.ts'
import { analyzeText, countCodePoints } from './text.ts'

/** How much one payload may hold. */
export interface PayloadLimits {
  readonly maxNumbers: number
  /** In code points. */
  readonly maxTextLength: number
}

/**
 * The schema of a payload, and the source of its OpenAPI description.
 *
 * `numbers` is checked by one loop and not by `z.array(z.number())`: the loop takes 0.4 ms for a million
 * numbers where the schema takes 36 ms, and a million wrong items cost it 20 issues instead of 500 MB.
 */
export function payloadSchema({ maxNumbers, maxTextLength }: PayloadLimits) {
  const numbers = z
    .custom<readonly number[]>()
    .meta({
      description: 'Finite JSON numbers. A literal that overflows a double, such as `1e400`, is refused.',
      override: { type: 'array', items: { type: 'number' }, minItems: 1, maxItems: maxNumbers },
    })
    .superRefine((value: unknown, context) => addIssues(context, numbersFaults(value, maxNumbers)))
  const text = z
    .custom<string>()
    .meta({
      description: 'Any text. Its length is counted in code points.',
      override: { type: 'string', minLength: 1, maxLength: maxTextLength },
    })
    .superRefine((value: unknown, context) => addIssues(context, textFaults(value, maxTextLength)))
  return z.strictObject({ numbers, text }).meta({
    id: 'Payload',
    description: 'Numbers and a text to analyse.',
    example: { numbers: [1, 2, 3, 4, 5], text: 'Sample text for analysis' },
  })
}

/** The schema of what a task is given: a text alone, or a payload. */
export function taskPayloadSchema(limits: PayloadLimits) {
  const payload = payloadSchema(limits)
  return z
    .custom<string | Payload>()
    .meta({
      description: 'A text, or numbers and a text, to analyse.',
      override: {
        oneOf: [
          { type: 'string', minLength: 1, maxLength: limits.maxTextLength },
          { $ref: '#/components/schemas/Payload' },
        ],
      },
    })
    .superRefine((value: unknown, context) => {
      if (value === undefined || typeof value === 'string')
        return addIssues(context, textFaults(value, limits.maxTextLength))
      // Told as the payload's own issues: a union would only say that neither form fits.
      for (const issue of payload.safeParse(value).error?.issues ?? []) context.addIssue({ ...issue })
    })
}

export type Payload = z.output<ReturnType<typeof payloadSchema>>

export type Summary = z.output<typeof summarySchema>
/** An analysis without the time it took: this part of the program has no clock. */
export type Analysis = Omit<Summary, 'processing_time_ms'>
export type CompactSummary = z.output<typeof compactSummarySchema>

/**
 * Analyses a payload that the schema has accepted. Pure; cost linear in its size.
 *
 * @example analyze({ numbers: [1, 2, 3], text: 'a b' }).numeric_analysis.mean // 2
 */
export function analyze({ numbers, text }: Payload): Analysis {
  return { numeric_analysis: analyzeNumbers(numbers), text_analysis: analyzeText(text) }
}

/** The same of a payload whose numbers are doubles already, and the taker's: see `analyzeInPlace`. */
export function analyzeScanned(numbers: NumbersWithRange, text: string): Analysis {
  return { numeric_analysis: analyzeInPlace(numbers), text_analysis: analyzeText(text) }
}

/** What a task answers: the analysis of a payload, or of a text alone. */
export function analyzeTaskPayload(work: string | Payload): Analysis | Pick<Analysis, 'text_analysis'> {
  return typeof work === 'string' ? { text_analysis: analyzeText(work) } : analyze(work)
}

/**
 * Whether a parsed JSON value is a payload: what `payloadSchema` accepts, and nothing else (a test holds the
 * two together). The schema says what is wrong; this only says yes or no, in half the time for a small one.
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
    indexOfFault(numbers, 0) === -1 &&
    isPayloadText(text, maxTextLength)
  )
}

/** Whether a value may be the text of a payload. */
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

/** What is wrong with a value, or with its item at `index`. */
interface Fault {
  readonly code: string
  readonly message: string
  readonly index?: number
}

function addIssues(context: z.core.$RefinementCtx, faults: readonly Fault[]): void {
  for (const { code, message, index } of faults) {
    const path = index === undefined ? [] : [index]
    context.addIssue({ code: 'custom', message, params: { code }, path })
  }
}

function numbersFaults(value: unknown, maxNumbers: number): Fault[] {
  if (value === undefined) return [{ code: 'missing', message: 'is required' }]
  if (!Array.isArray(value)) return [{ code: 'type', message: 'must be an array of numbers' }]
  if (value.length === 0) return [{ code: 'too-short', message: 'must hold at least one number' }]
  if (value.length > maxNumbers)
    return [{ code: 'too-long', message: `must hold at most ${maxNumbers} numbers, has ${value.length}` }]
  const faults: Fault[] = []
  for (let index = indexOfFault(value, 0); index !== -1; index = indexOfFault(value, index + 1)) {
    faults.push(
      typeof value[index] === 'number'
        ? { code: 'not-finite', message: 'is beyond the range of a double', index }
        : { code: 'type', message: 'must be a number', index },
    )
    if (faults.length === maxIssues) break
  }
  return faults
}

/** The index of the first item from `start` on that is no finite number, or -1. */
function indexOfFault(items: readonly unknown[], start: number): number {
  for (let index = start; index < items.length; index++) {
    const item = items[index]
    // JSON has no NaN; an infinity is the only number that differs from itself by NaN.
    if (typeof item !== 'number' || item - item !== 0) return index
  }
  return -1
}

function textFaults(value: unknown, maxTextLength: number): Fault[] {
  if (value === undefined) return [{ code: 'missing', message: 'is required' }]
  if (typeof value !== 'string') return [{ code: 'type', message: 'must be a string' }]
  if (value.length === 0) return [{ code: 'too-short', message: 'must hold at least one character' }]
  return isTooLong(value, maxTextLength)
    ? [{ code: 'too-long', message: `must hold at most ${maxTextLength} characters` }]
    : []
}

/** A code point is one or two code units, so only lengths in between need counting. */
function isTooLong(text: string, maxTextLength: number): boolean {
  return (
    text.length > 2 * maxTextLength || (text.length > maxTextLength && countCodePoints(text) > maxTextLength)
  )
}
