import { exactMoments } from './exact-moments.ts'
import type { RawResponse } from './response-reader.ts'

/** The content of a `POST /payload` response, without its processing time. */
export interface Expected {
  readonly numeric_analysis: Readonly<Record<string, number>>
  readonly text_analysis: Readonly<Record<string, number>>
}

/** The figures that depend on the summation method; all others must match to the last bit. */
const summed: ReadonlySet<string> = new Set(['mean', 'standard_deviation'])

/** The maximum relative distance of two adjacent doubles. */
const unitInLastPlace = 2 ** -52

/** The maximum relative rounding error of one addition. */
const unitRoundoff = 2 ** -53

/**
 * Computes the correct result independently of every target: exact integers for the sums, a sorted copy for the other
 * figures, and splits for the text, which must be ASCII.
 */
export function analyzeIndependently(numbers: readonly number[], text: string): Expected {
  const count = numbers.length
  const sorted = numbers.toSorted((a, b) => a - b)
  const at = (index: number): number => sorted[index] ?? Number.NaN
  const { mean, standardDeviation } = exactMoments(numbers)
  const pieces = (separator: RegExp, content = /\S/): number =>
    text.split(separator).filter((piece) => content.test(piece)).length
  return {
    numeric_analysis: {
      count,
      minimum: at(0),
      maximum: at(count - 1),
      mean,
      median: (at((count - 1) >> 1) + at(count >> 1)) / 2,
      standard_deviation: standardDeviation,
    },
    text_analysis: {
      word_count: pieces(/\s+/),
      character_count: text.length,
      character_count_no_spaces: text.replaceAll(' ', '').length,
      sentence_count: pieces(/[!?]|\.(?=[\s)\]}"']|$)/, /[^\s.)\]}"']/),
      paragraph_count: pieces(/\n/),
    },
  }
}

/** @throws Error for a status other than 200. */
export const checkStatus: (response: RawResponse) => void = statusCheck(200)

/** Creates a check that throws an Error for any other status. */
export function statusCheck(expected: number): (response: RawResponse) => void {
  return ({ status, body }) => {
    if (status !== expected) throw new Error(`answered ${status}: ${body.toString().slice(0, 200)}`)
  }
}

/**
 * Compares every figure of a response with the correct one. Mean and standard deviation may be off: by one unit in the
 * last place for exact sums, and by n × 2^-53 for plain sums, the error bound for adding n numbers of the same sign one
 * by one (N. J. Higham, Accuracy and Stability of Numerical Algorithms, 4.2).
 *
 * @param exact whether the target claims exact sums
 * @throws Error naming the first figure that is wrong or missing.
 */
export function checkFigures(response: RawResponse, expected: Expected, exact: boolean): void {
  checkStatus(response)
  const actual = JSON.parse(response.body.toString())
  const count = expected.numeric_analysis.count ?? 0
  const tolerance = exact ? unitInLastPlace : Math.max(unitInLastPlace, count * unitRoundoff)
  for (const part of ['numeric_analysis', 'text_analysis'] as const) {
    for (const [name, correct] of Object.entries(expected[part])) {
      const figure: unknown = actual[part]?.[name]
      const allowed = summed.has(name) ? tolerance * Math.abs(correct) : 0
      if (typeof figure !== 'number' || Math.abs(figure - correct) > allowed)
        throw new Error(`${name} is ${figure}, expected ${correct}`)
    }
  }
}

/** Bodies that every target must reject: a target that accepts them does less work than the others. */
export const invalidBodies: readonly string[] = [
  '{"numbers": [1, 2], "text": ',
  '{"numbers": [1, "2"], "text": "a"}',
  '{"numbers": [1, true], "text": "a"}',
  '{"numbers": [1, 1e400], "text": "a"}',
  '{"numbers": [], "text": "a"}',
  '{"numbers": [1], "text": ""}',
  '{"numbers": [1], "text": 1}',
  '{"numbers": [1]}',
  '{"numbers": [1], "text": "a", "more": 1}',
  '[1]',
]

/** @throws Error for a status other than 400 or 422. */
export function checkRejected({ status }: RawResponse, body: string): void {
  if (status !== 400 && status !== 422) throw new Error(`answered ${status} to ${body}`)
}
