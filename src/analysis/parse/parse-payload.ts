import type { NumbersWithRange } from '../numeric/numeric.ts'
import { isPayloadText, type PayloadLimits } from '../payload.ts'
import { scanNumbers, skipSpace } from './scan-numbers.ts'

/** A payload read from its bytes. */
export interface ParsedPayload {
  /** The reader's to reorder, until it reads the next payload. */
  readonly numbers: NumbersWithRange
  readonly text: string
}

const numbersKey = Buffer.from('"numbers"')
const textKey = Buffer.from('"text"')

const [openingBrace, closingBrace, openingBracket] = Buffer.from('{}[') as unknown as [number, number, number]
const [quote, backslash, colon, comma] = Buffer.from('"\\:,') as unknown as [number, number, number, number]

const decoder = new TextDecoder('utf-8', { fatal: true })

/**
 * Reads a payload without parsing the JSON as a whole: its two members in any order, the list by a scanner, the text
 * by JSON.parse.
 *
 * @returns undefined for whatever is not a plain payload within the limits. Not all of that is wrong (a key may be
 *   written with escapes), and what is wrong the parser and the schema tell.
 */
export function parsePayload(
  bytes: Uint8Array,
  { maxNumbers, maxTextLength }: PayloadLimits,
): ParsedPayload | undefined {
  let numbers: NumbersWithRange | undefined
  let text: string | undefined
  let at = skipSpace(bytes, 0)
  if (bytes[at] !== openingBrace) return undefined
  do {
    at = skipSpace(bytes, at + 1)
    if (numbers === undefined && startsWith(bytes, at, numbersKey)) {
      at = startOfValue(bytes, at + numbersKey.length)
      if (bytes[at] !== openingBracket) return undefined
      const list = scanNumbers(bytes, at + 1, maxNumbers)
      if (list === undefined) return undefined
      numbers = list
      at = list.end
    } else if (text === undefined && startsWith(bytes, at, textKey)) {
      at = startOfValue(bytes, at + textKey.length)
      const end = endOfString(bytes, at)
      text = end === -1 ? undefined : parseString(bytes.subarray(at, end))
      if (text === undefined) return undefined
      at = end
    } else return undefined
    at = skipSpace(bytes, at)
  } while (bytes[at] === comma)
  if (bytes[at] !== closingBrace || skipSpace(bytes, at + 1) !== bytes.length) return undefined
  if (numbers === undefined || !isPayloadText(text, maxTextLength)) return undefined
  return { numbers, text }
}

function startsWith(bytes: Uint8Array, start: number, expected: Uint8Array): boolean {
  for (let i = 0; i < expected.length; i++) if (bytes[start + i] !== expected[i]) return false
  return true
}

/** Where the value begins whose key ends at `end`; -1 without a colon. */
function startOfValue(bytes: Uint8Array, end: number): number {
  const at = skipSpace(bytes, end)
  return bytes[at] === colon ? skipSpace(bytes, at + 1) : -1
}

/** The index behind the closing quote of the string that begins at `start`; -1 when there is none. */
function endOfString(bytes: Uint8Array, start: number): number {
  if (bytes[start] !== quote) return -1
  let end = start
  do end = bytes.indexOf(quote, end + 1)
  while (end !== -1 && isEscaped(bytes, end))
  return end === -1 ? -1 : end + 1
}

/** Whether an odd number of backslashes stands before it. */
function isEscaped(bytes: Uint8Array, index: number): boolean {
  let first = index
  while (bytes[first - 1] === backslash) first--
  return (index - first) % 2 === 1
}

function parseString(bytes: Uint8Array): string | undefined {
  try {
    const value: unknown = JSON.parse(decoder.decode(bytes))
    return typeof value === 'string' ? value : undefined
  } catch {
    return undefined
  }
}
