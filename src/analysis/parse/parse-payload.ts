import type { NumbersWithRange } from '../numeric/numeric.ts'
import { isPayloadText, type PayloadLimits } from '../payload.ts'
import { scanNumbers, skipSpace } from './scan-numbers.ts'

/** A payload parsed from its bytes. */
export interface ParsedPayload {
  /** The caller may reorder them. They are valid until the next call. */
  readonly numbers: NumbersWithRange
  readonly text: string
}

const numbersKey = Buffer.from('"numbers"')
const textKey = Buffer.from('"text"')

const [openingBrace, closingBrace, openingBracket] = Buffer.from('{}[') as unknown as [number, number, number]
const [quote, backslash, colon, comma] = Buffer.from('"\\:,') as unknown as [number, number, number, number]

const decoder = new TextDecoder('utf-8', { fatal: true })

/**
 * Parses a payload without parsing the JSON as a whole: its two members in any order, the numbers with the number
 * scanner, the text with JSON.parse.
 *
 * @returns undefined unless the input is a plain payload within the limits. The caller then uses JSON.parse and the
 *   schema: the input may still be valid (a key may contain escapes); otherwise they report the errors.
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
    if (numbers === undefined && matchesAt(bytes, at, numbersKey)) {
      at = findValue(bytes, at + numbersKey.length)
      if (bytes[at] !== openingBracket) return undefined
      const list = scanNumbers(bytes, at + 1, maxNumbers)
      if (list === undefined) return undefined
      numbers = list
      at = list.end
    } else if (text === undefined && matchesAt(bytes, at, textKey)) {
      at = findValue(bytes, at + textKey.length)
      const end = findStringEnd(bytes, at)
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

function matchesAt(bytes: Uint8Array, start: number, expected: Uint8Array): boolean {
  for (let i = 0; i < expected.length; i++) if (bytes[start + i] !== expected[i]) return false
  return true
}

/** The index of the value whose key ends at `end`; -1 without a colon. */
function findValue(bytes: Uint8Array, end: number): number {
  const at = skipSpace(bytes, end)
  return bytes[at] === colon ? skipSpace(bytes, at + 1) : -1
}

/** The index after the closing quote of the string that begins at `start`; -1 if there is none. */
function findStringEnd(bytes: Uint8Array, start: number): number {
  if (bytes[start] !== quote) return -1
  let end = start
  do end = bytes.indexOf(quote, end + 1)
  while (end !== -1 && isEscaped(bytes, end))
  return end === -1 ? -1 : end + 1
}

/** Whether an odd number of backslashes precedes the byte at `index`. */
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
