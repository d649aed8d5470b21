import { exactMoments } from './exact-moments.ts'
import type { Answer } from './response-reader.ts'

/** What an answer to `POST /payload` says, its time apart. */
export interface Expected {
  readonly numeric_analysis: Readonly<Record<string, number>>
  readonly text_analysis: Readonly<Record<string, number>>
}

/** The figures that depend on how numbers are summed; all others must agree to the last bit. */
const summed: ReadonlySet<string> = new Set(['mean', 'standard_deviation'])

/** The relative distance of two neighbouring doubles, at most. */
const unitInLastPlace = 2 ** -52

/** What rounding takes from one addition, at most, in relation to its result. */
const unitRoundoff = 2 ** -53

/**
 * What a payload should be answered with, found apart from every target: exact integers for the sums, a sorted
 * copy for the rest, and the words of a text that holds nothing but ASCII by splitting it.
 */
export function analyzeApart(numbers: readonly number[], text: string): Expected {
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
export const checkStatus: (answer: Answer) => void = statusCheck(200)

/** A check that throws an Error for any other status. */
export function statusCheck(expected: number): (answer: Answer) => void {
  return ({ status, body }) => {
    if (status !== expected) throw new Error(`answered ${status}: ${body.toString().slice(0, 200)}`)
  }
}

/**
 * Compares every figure of an answer with the right one. Mean and standard deviation may be off: by one unit in
 * the last place where sums are exact, and by n × 2^-53 where they are plain, which is what adding n numbers of
 * one sign one by one can lose (N. J. Higham, Accuracy and Stability of Numerical Algorithms, 4.2).
 *
 * @param exact whether the answer claims exact sums
 * @throws Error naming the first figure that is wrong or left out.
 */
export function checkFigures(answer: Answer, expected: Expected, exact: boolean): void {
  checkStatus(answer)
  const told = JSON.parse(answer.body.toString())
  const count = expected.numeric_analysis.count ?? 0
  const tolerance = exact ? unitInLastPlace : Math.max(unitInLastPlace, count * unitRoundoff)
  for (const part of ['numeric_analysis', 'text_analysis'] as const) {
    for (const [name, right] of Object.entries(expected[part])) {
      const figure: unknown = told[part]?.[name]
      const allowed = summed.has(name) ? tolerance * Math.abs(right) : 0
      if (typeof figure !== 'number' || Math.abs(figure - right) > allowed)
        throw new Error(`${name} is ${figure} where ${right} is right`)
    }
  }
}

/** Bodies that every target must refuse: one that takes them does less work than the others. */
export const wrongBodies: readonly string[] = [
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

/** @throws Error for a status that is not 400 or 422. */
export function checkRefused({ status }: Answer, body: string): void {
  if (status !== 400 && status !== 422) throw new Error(`answered ${status} to ${body}`)
}
