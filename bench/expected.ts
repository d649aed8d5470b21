import type { Answer } from './response-reader.ts'

/** What an answer to `POST /payload` says, its time apart. */
export interface Expected {
  readonly numeric_analysis: Readonly<Record<string, number>>
  readonly text_analysis: Readonly<Record<string, number>>
}

/** A naive sum of a million doubles is this near to the exact one; a wrong formula is not. */
const relativeTolerance = 1e-9

/**
 * What a payload should be answered with, found as plainly as can be and apart from every target: a sorted
 * copy, two passes, and the words of a text that holds nothing but ASCII.
 */
export function analyzePlainly(numbers: readonly number[], text: string): Expected {
  const count = numbers.length
  const sorted = numbers.toSorted((a, b) => a - b)
  const at = (index: number): number => sorted[index] ?? Number.NaN
  const mean = numbers.reduce((sum, x) => sum + x, 0) / count
  const squares = numbers.reduce((sum, x) => sum + (x - mean) ** 2, 0)
  const pieces = (separator: RegExp): number =>
    text.split(separator).filter((piece) => piece.trim() !== '').length
  return {
    numeric_analysis: {
      count,
      minimum: at(0),
      maximum: at(count - 1),
      mean,
      median: (at((count - 1) >> 1) + at(count >> 1)) / 2,
      standard_deviation: Math.sqrt(squares / (count - 1)),
    },
    text_analysis: {
      word_count: pieces(/\s+/),
      character_count: text.length,
      character_count_no_spaces: text.replaceAll(' ', '').length,
      sentence_count: pieces(/[!?]|(?<!\d)\.|\.(?!\d)/),
      paragraph_count: pieces(/\n/),
    },
  }
}

/** @throws Error for a status other than 200. */
export function checkStatus({ status, body }: Answer): void {
  if (status !== 200) throw new Error(`answered ${status}: ${body.toString().slice(0, 200)}`)
}

/** @throws Error naming the first figure that an answer gets wrong or leaves out. */
export function checkFigures(answer: Answer, expected: Expected): void {
  checkStatus(answer)
  const told = JSON.parse(answer.body.toString())
  for (const part of ['numeric_analysis', 'text_analysis'] as const) {
    for (const [name, right] of Object.entries(expected[part])) {
      const figure: unknown = told[part]?.[name]
      if (typeof figure !== 'number' || Math.abs(figure - right) > relativeTolerance * Math.abs(right))
        throw new Error(`${name} is ${figure} where ${right} is right`)
    }
  }
}
