/**
 * A request that may arrive more than once and must take effect once. The client chooses `key`. `scope` keeps the keys
 * of one route and one client apart from all others. `fingerprint` represents the request's content, for example by its
 * SHA-256, and distinguishes a repetition from another request under the same key.
 */
export interface Idempotency {
  readonly scope: string
  readonly key: string
  readonly fingerprint: string
}

/** How long a key is stored. After that, the same key makes a new request. */
export const idempotencyRetentionMs = 24 * 60 * 60 * 1000

/** The shortest time between two cleanups of expired keys in one process, and the most keys that one cleanup deletes. */
export const idempotencyCleanupIntervalMs = 60 * 1000
export const maxIdempotencyCleanupRows = 1000

/** The key was used before with other content. Nothing was written, and there is no first answer to repeat. */
export class IdempotencyMismatch extends Error {
  override readonly name = 'IdempotencyMismatch'
  readonly code = 'idempotency-key-reused'
  constructor() {
    super('this idempotency key was used before with another request')
  }
}
