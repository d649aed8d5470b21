import type { Database } from 'bun:sqlite'
import {
  type Idempotency,
  IdempotencyMismatch,
  idempotencyCleanupIntervalMs,
  idempotencyRetentionMs,
  maxIdempotencyCleanupRows,
} from '../idempotency.ts'

/**
 * Idempotency keys in an SQLite file. Call both methods in the transaction of the write that they protect: then either
 * the write and its key are there or neither is, and of many requests at once the first one counts.
 */
export class SqliteIdempotencyKeys {
  readonly #find
  readonly #save
  readonly #deleteExpired
  #cleanedAt = Number.NEGATIVE_INFINITY

  constructor(db: Database) {
    this.#find = db.query<{ fingerprint: string; result: string }, [string, string, number]>(
      'select fingerprint, result from idempotency_keys where scope = ?1 and key = ?2 and expires_at > ?3',
    )
    this.#save = db.query<never, [string, string, string, string, number]>(
      'insert or replace into idempotency_keys (scope, key, fingerprint, result, expires_at) values (?1, ?2, ?3, ?4, ?5)',
    )
    this.#deleteExpired = db.query<never, [number, number]>(
      `delete from idempotency_keys where rowid in
         (select rowid from idempotency_keys where expires_at <= ?1 order by expires_at limit ?2)`,
    )
  }

  /**
   * The result of the first request under this key.
   *
   * @param now milliseconds since the epoch
   * @returns undefined when this is the first request
   * @throws IdempotencyMismatch when the key belongs to another request
   */
  find({ scope, key, fingerprint }: Idempotency, now: number): string | undefined {
    const first = this.#find.get(scope, key, now)
    if (first === null) return undefined
    if (first.fingerprint !== fingerprint) throw new IdempotencyMismatch()
    return first.result
  }

  /** Saves the result of the first request for `idempotencyRetentionMs`. From time to time it deletes expired keys. */
  save({ scope, key, fingerprint }: Idempotency, result: string, now: number): void {
    this.#save.run(scope, key, fingerprint, result, now + idempotencyRetentionMs)
    if (now - this.#cleanedAt < idempotencyCleanupIntervalMs) return
    this.#cleanedAt = now
    this.#deleteExpired.run(now, maxIdempotencyCleanupRows)
  }
}
