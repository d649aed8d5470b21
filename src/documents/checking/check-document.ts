import { fingerprint } from '../../analysis/parse/fingerprint.ts'
import type { InputError, ValidationIssue } from '../../analysis/parse/input-error.ts'
import { parseJson } from '../../analysis/parse/parse-json.ts'
import { summarizeIssues } from '../../analysis/parse/validation-issues.ts'
import { exceedsDepth, normalizeId } from '../document-json.ts'
import { isDocumentId, maxIdLength } from '../document-store.ts'
import type { DocumentSchema } from '../schema/json-schema.ts'

/** A document as it was sent, with the metadata that the store needs. */
export interface CheckedDocument {
  /** The JSON text, unchanged. */
  readonly text: string
  /** Its member `id` in canonical form; undefined when it has none. */
  readonly id: string | undefined
  /** Of the text; computed only for a request with an Idempotency-Key. */
  readonly fingerprint: string | undefined
}

/** A document, or why it was rejected. Plain data: it travels between threads. */
export type DocumentResult =
  | { readonly ok: true; readonly document: CheckedDocument }
  | { readonly ok: false; readonly error: InputError }

/** The rule for ids, for messages. */
export const idRule = `1 to ${maxIdLength} characters of A-Z a-z 0-9 . _ ~ -, or a whole number from 0`

/** Nesting levels of a document. */
const maxDepth = 100

/**
 * Checks a document: everything between its bytes and the store in one call, so that a thread can do it.
 *
 * @param schema a JSON Schema of the document. Default: any object
 */
export function checkDocument(bytes: Uint8Array, isKeyed: boolean, schema?: DocumentSchema): DocumentResult {
  const parsed = parseJson(bytes)
  if (!parsed.ok) return parsed
  const { text, value } = parsed
  const issues = findIssues(value, schema)
  if (issues.length > 0)
    return { ok: false, error: { code: 'invalid-input', detail: summarizeIssues(issues), issues } }
  return {
    ok: true,
    document: {
      text,
      id: normalizeId((value as { id?: unknown }).id),
      fingerprint: isKeyed ? fingerprint(text) : undefined,
    },
  }
}

function findIssues(value: unknown, schema: DocumentSchema | undefined): readonly ValidationIssue[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return [{ pointer: '', detail: 'must be an object', code: 'type' }]
  if (exceedsDepth(value, maxDepth))
    return [{ pointer: '', detail: `must not nest deeper than ${maxDepth} levels`, code: 'too-deep' }]
  const { id } = value as { id?: unknown }
  if (id !== undefined && !isDocumentId(normalizeId(id) ?? ''))
    return [{ pointer: '/id', detail: `must be ${idRule}`, code: 'invalid-value' }]
  return schema?.validate(value) ?? []
}
