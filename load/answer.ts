import type { Expected } from './payloads.ts'

// The service promises one unit in the last place. The expected values have an error of a few units themselves (a mean
// of rounded differences, a square root). 16 units are far below any real mistake, such as n instead of n − 1 or the
// numbers of another request.
const relativeTolerance = 16 * 2 ** -53

/**
 * The error in the body of a 200, with the same text for the same mistake, or null if every number is correct.
 *
 * @example problemOf('', expected) // 'empty body'
 * @example problemOf('{"numeric_analysis":{"count":4}}', expected) // 'wrong numeric_analysis.count'
 */
export function problemOf(body: string, expected: Expected): string | null {
  if (body === '') return 'empty body'
  let summary: unknown
  try {
    summary = JSON.parse(body)
  } catch {
    return 'not JSON'
  }
  if (!isObject(summary)) return 'not a JSON object'
  const numeric = summary.numeric_analysis
  const text = summary.text_analysis
  if (!isObject(numeric)) return 'no numeric_analysis'
  if (!isObject(text)) return 'no text_analysis'

  if (numeric.count !== expected.count) return 'wrong numeric_analysis.count'
  if (numeric.minimum !== expected.minimum) return 'wrong numeric_analysis.minimum'
  if (numeric.maximum !== expected.maximum) return 'wrong numeric_analysis.maximum'
  if (!isClose(numeric.median, expected.median)) return 'wrong numeric_analysis.median'
  if (!isClose(numeric.mean, expected.mean)) return 'wrong numeric_analysis.mean'
  if (!isClose(numeric.standard_deviation, expected.standardDeviation)) {
    return 'wrong numeric_analysis.standard_deviation'
  }
  if (text.word_count !== expected.wordCount) return 'wrong text_analysis.word_count'
  if (text.character_count !== expected.characterCount) return 'wrong text_analysis.character_count'
  if (text.character_count_no_spaces !== expected.characterCountNoSpaces) {
    return 'wrong text_analysis.character_count_no_spaces'
  }
  if (text.sentence_count !== expected.sentenceCount) return 'wrong text_analysis.sentence_count'
  if (text.paragraph_count !== expected.paragraphCount) return 'wrong text_analysis.paragraph_count'

  const time = summary.processing_time_ms
  if (typeof time !== 'number' || !(time >= 0)) return 'wrong processing_time_ms'
  return null
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isClose(value: unknown, expected: number): boolean {
  return typeof value === 'number' && Math.abs(value - expected) <= relativeTolerance * Math.abs(expected)
}
