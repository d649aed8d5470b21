/**
 * A request that may come more than once and must count once. The client chooses `key`; `scope` keeps the keys of one
 * route (and, where there are accounts, of one client) apart from all others; `fingerprint` stands for the request's
 * content, say its SHA-256, and tells a repetition from another request under the same key.
 */
export interface Idempotency {
  readonly scope: string
  readonly key: string
  readonly fingerprint: string
}

/** How long a key is remembered. After that the same key makes a new request. */
export const IDEMPOTENCY_KEPT_MS = 24 * 60 * 60 * 1000

/** How often at most an instance looks for keys whose time is over, and how many it deletes then. */
export const IDEMPOTENCY_CLEANUP_EVERY_MS = 60 * 1000
export const IDEMPOTENCY_CLEANUP_ROWS_MAX = 1000

/** The key was used before with other content: nothing was written and there is no first answer to give. */
export class IdempotencyMismatch extends Error {
  override readonly name = 'IdempotencyMismatch'
  readonly code = 'idempotency-key-reused'
  constructor() {
    super('this idempotency key was used before with another request')
  }
}
