import type { Idempotency } from '../../database/idempotency.ts'
import type { Refusal } from '../problem.ts'

/** What a key may be: visible ASCII, so that it means the same to every proxy and log. */
const sane = /^[\x21-\x7e]{1,255}$/

/** The header's entry in the OpenAPI document. */
export const idempotencyKeyDoc = {
  name: 'Idempotency-Key',
  in: 'header' as const,
  description: 'The same key and body count once and get the first answer again, for 24 hours',
  schema: { type: 'string' as const, pattern: sane.source },
}

/**
 * The promise that a client asks for with `Idempotency-Key`: the same key and body count once.
 *
 * @param scope keeps the keys of one route apart from all others
 * @param fingerprint of the text that was sent: tells a repetition from another request
 * @returns undefined without the header; a refusal when it is no key
 */
export function idempotencyOf(
  headers: Headers,
  scope: string,
  fingerprint: () => string,
): Idempotency | { readonly refusal: Refusal } | undefined {
  const key = headers.get('idempotency-key')
  if (key === null) return undefined
  if (!sane.test(key))
    return {
      refusal: {
        code: 'invalid-header',
        detail: 'Idempotency-Key must be 1 to 255 visible ASCII characters without spaces.',
      },
    }
  return { scope, key, fingerprint: fingerprint() }
}
