/** A token that is not a number. */
export interface InvalidToken {
  readonly line: number
  readonly token: string
}

export interface ParsedNumbers {
  readonly numbers: Float64Array
  /** The count of invalid tokens, and the first ones. */
  readonly invalid: { readonly count: number; readonly examples: readonly InvalidToken[] }
}

const numberPattern = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i
const tokenPattern = /[^\s,;|[\]]+|\n/g
const maxExamples = 5
const maxTokenLength = 40

/** Parses a token as a finite number. */
export function parseNumber(token: string): number | undefined {
  if (!numberPattern.test(token)) return undefined
  const value = Number(token)
  return Number.isFinite(value) ? value : undefined
}

/**
 * Parses numbers between any separators: white space, commas, semicolons, bars, brackets.
 *
 * @example parseNumbers('[1, 2.5; -3e2]').numbers // Float64Array [1, 2.5, -300]
 */
export function parseNumbers(text: string): ParsedNumbers {
  const numbers: number[] = []
  const examples: InvalidToken[] = []
  let count = 0
  let line = 1
  for (const [token] of text.matchAll(tokenPattern)) {
    if (token === '\n') {
      line++
      continue
    }
    const value = parseNumber(token)
    if (value !== undefined) numbers.push(value)
    else if (count++ < maxExamples) examples.push({ line, token: token.slice(0, maxTokenLength) })
  }
  return { numbers: Float64Array.from(numbers), invalid: { count, examples } }
}
