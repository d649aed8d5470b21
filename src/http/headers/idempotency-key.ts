import type { Idempotency } from '../../database/idempotency.ts'
import { ProblemError } from '../problem.ts'

/** Visible ASCII, so that a key means the same to every proxy and log. */
const keyPattern = /^[\x21-\x7e]{1,255}$/

/** The header's entry in the OpenAPI document. */
export const idempotencyKeyParameter = {
  name: 'Idempotency-Key',
  in: 'header' as const,
  description:
    'Requests of one client with the same key and body count once and get the first response again, for 24 hours. Clients are identified by their API key or the subject of their token.',
  schema: { type: 'string' as const, pattern: keyPattern.source },
}

/**
 * Reads `Idempotency-Key`: requests of one client to one route with the same key and body count once.
 *
 * @param route such as `POST /data`
 * @param client as the request context names it; undefined for anonymous clients, who share their keys
 * @param fingerprint of the body, to distinguish a repetition from another request
 * @returns undefined without the header
 * @throws ProblemError when it is not a valid key
 */
export function parseIdempotencyKey(
  key: string | undefined,
  route: string,
  client: string | undefined,
  fingerprint: () => string,
): Idempotency | undefined {
  if (key === undefined) return undefined
  if (!keyPattern.test(key))
    throw new ProblemError({
      code: 'invalid-header',
      detail: 'Idempotency-Key must be 1 to 255 visible ASCII characters without spaces.',
    })
  // Quoted: a subject may be any text, also one that no database stores as it is.
  const scope = client === undefined ? route : `${route} ${JSON.stringify(client)}`
  return { scope, key, fingerprint: fingerprint() }
}
