/**
 * Payloads from a seed, each with its expected result. Independent of the service's analysis: plain code computes the
 * statistics, and the generator counts the texts while it writes them.
 */

export const sizes = ['small', 'medium', '1mb', '10mb'] as const
export type Size = (typeof sizes)[number]

/** The numbers that `POST /payload` must return. */
export type Expected = {
  count: number
  minimum: number
  maximum: number
  mean: number
  median: number
  standardDeviation: number
  wordCount: number
  characterCount: number
  characterCountNoSpaces: number
  sentenceCount: number
  paragraphCount: number
}

/** One request body and its expected result. */
export type PayloadCase = { body: string; expected: Expected }

type Recipe = {
  /** Number of different payloads; every user sends them in turn. */
  cases: number
  numbersMin: number
  numbersMax: number
  sentencesMin: number
  sentencesMax: number
}

// small is like a form or a minute of sensor data (0.1 to 2 kB), medium like a report (about 35 kB), 1mb and 10mb like
// a file. 10mb stays below the service's limits of 1,000,000 numbers and 1,000,000 characters.
const recipes: Record<Size, Recipe> = {
  small: { cases: 64, numbersMin: 1, numbersMax: 100, sentencesMin: 1, sentencesMax: 8 },
  medium: { cases: 8, numbersMin: 2_000, numbersMax: 2_500, sentencesMin: 200, sentencesMax: 250 },
  '1mb': { cases: 2, numbersMin: 60_000, numbersMax: 60_000, sentencesMin: 8_200, sentencesMax: 8_200 },
  '10mb': { cases: 1, numbersMin: 800_000, numbersMax: 800_000, sentencesMin: 14_000, sentencesMax: 14_000 },
}

// Non-ASCII letters and a character of two UTF-16 units, to catch a service that counts bytes or units.
const words =
  'the load of a bridge is carried by every cable and measured each minute naïve Straße 東京 🙂 3.14 café example.com'.split(
    ' ',
  )
const sentenceEnds = ['.', '.', '.', '!', '?', '…']

/**
 * All payloads of one size. The same seed gives the same payloads, byte for byte.
 *
 * @param seed any integer; only its lower 32 bits matter
 */
export function makeCases(seed: number, size: Size): PayloadCase[] {
  const recipe = recipes[size]
  return Array.from({ length: recipe.cases }, (_, index) =>
    makeCase(randomFrom(seed * 1_000 + index), recipe),
  )
}

function makeCase(random: () => number, recipe: Recipe): PayloadCase {
  const numbers = makeNumbers(random, between(random, recipe.numbersMin, recipe.numbersMax))
  const { text, counts } = makeText(random, between(random, recipe.sentencesMin, recipe.sentencesMax))
  return { body: JSON.stringify({ numbers, text }), expected: { ...describe(numbers), ...counts } }
}

/** Whole numbers, hundredths and full-precision doubles, like real measurements. */
function makeNumbers(random: () => number, count: number): number[] {
  return Array.from({ length: count }, () => {
    const kind = random()
    if (kind < 0.3) return between(random, -1_000, 1_000)
    if (kind < 0.8) return between(random, 0, 100_000) / 100
    return (random() - 0.5) * 1e6
  })
}

type TextCounts = Pick<
  Expected,
  'wordCount' | 'characterCount' | 'characterCountNoSpaces' | 'sentenceCount' | 'paragraphCount'
>

function makeText(random: () => number, sentences: number): { text: string; counts: TextCounts } {
  const pieces: string[] = []
  let wordCount = 0
  let spaces = 0
  let paragraphs = 1
  for (let sentence = 0; sentence < sentences; sentence++) {
    if (sentence > 0) {
      const newParagraph = random() < 0.15
      pieces.push(newParagraph ? '\n\n' : ' ')
      if (newParagraph) paragraphs++
      else spaces++
    }
    const length = between(random, 3, 18)
    const chosen = Array.from({ length }, () => words[between(random, 0, words.length - 1)] ?? '')
    wordCount += length
    spaces += length - 1
    pieces.push(chosen.join(' '), sentenceEnds[between(random, 0, sentenceEnds.length - 1)] ?? '.')
  }
  const text = pieces.join('')
  const characterCount = Array.from(text).length
  return {
    text,
    counts: {
      wordCount,
      characterCount,
      characterCountNoSpaces: characterCount - spaces,
      sentenceCount: sentences,
      paragraphCount: paragraphs,
    },
  }
}

function describe(numbers: number[]): Omit<Expected, keyof TextCounts> {
  const sorted = numbers.slice().sort((a, b) => a - b)
  const count = sorted.length
  const middle = Math.floor(count / 2)
  const upper = sorted[middle] ?? 0
  const median = count % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2
  const mean = sum(sorted) / count
  const squares = sorted.map((value) => (value - mean) ** 2)
  return {
    count,
    minimum: sorted[0] ?? 0,
    maximum: sorted[count - 1] ?? 0,
    mean,
    median,
    standardDeviation: count === 1 ? 0 : Math.sqrt(sum(squares) / (count - 1)),
  }
}

/** Neumaier's compensated sum: collects the lost low bits separately and adds them at the end. */
function sum(values: number[]): number {
  let total = 0
  let lowBits = 0
  for (const value of values) {
    const next = total + value
    lowBits += Math.abs(total) >= Math.abs(value) ? total - next + value : value - next + total
    total = next
  }
  return total + lowBits
}

/** A random integer from `low` to `high`, both included. */
function between(random: () => number, low: number, high: number): number {
  return low + Math.floor(random() * (high - low + 1))
}

/** mulberry32, a generator with 32 bits of state: the same sequence on every machine. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
