import type { InputError, InputErrorCode } from './input-error.ts'
import { exceedsDepth } from './json-depth.ts'

/** Maximum nesting of arrays and objects. A payload has two levels; a document may have many. */
const maxDepth = 1_000

const decoder = new TextDecoder('utf-8', { fatal: true })

export type DecodeResult =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly error: InputError }

/** The value and its source text. */
export type JsonResult =
  | { readonly ok: true; readonly value: unknown; readonly text: string }
  | { readonly ok: false; readonly error: InputError }

/**
 * Parses JSON strictly: UTF-8 without replacement characters, bounded nesting, then JSON.parse. The last of several
 * equal keys wins.
 *
 * @param release called as soon as the bytes are no longer needed
 */
export function parseJson(bytes: Uint8Array, release?: () => void): JsonResult {
  const decoded = decodeUtf8(bytes)
  if (!decoded.ok) return decoded
  release?.()
  return parseJsonText(decoded.text)
}

/** Decodes UTF-8; rejects bytes that a lenient decoder would replace. */
export function decodeUtf8(bytes: Uint8Array): DecodeResult {
  try {
    return { ok: true, text: decoder.decode(bytes) }
  } catch {
    return reject('not-utf-8', 'The body is not valid UTF-8.')
  }
}

/** Parses a JSON text with bounded nesting. */
export function parseJsonText(text: string): JsonResult {
  if (exceedsDepth(text, maxDepth))
    return reject(
      'malformed-json',
      `Arrays and objects must not be nested more than ${maxDepth} levels deep.`,
    )
  try {
    return { ok: true, value: JSON.parse(text), text }
  } catch (error) {
    const reason = error instanceof Error ? error.message.slice(0, 200) : ''
    return reject('malformed-json', text === '' ? 'The body is empty.' : reason)
  }
}

function reject(code: InputErrorCode, detail: string): { ok: false; error: InputError } {
  return { ok: false, error: { code, detail } }
}
