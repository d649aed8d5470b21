import type { Database } from 'bun:sqlite'
import {
  IDEMPOTENCY_CLEANUP_EVERY_MS,
  IDEMPOTENCY_CLEANUP_ROWS_MAX,
  IDEMPOTENCY_KEPT_MS,
  type Idempotency,
  IdempotencyMismatch,
} from '../idempotency.ts'

/**
 * Idempotency keys in an SQLite file, for whatever is written beside them. Both calls belong into the transaction of
 * the write they protect: then either both are there or neither is, and of many at once the first one counts.
 */
export class SqliteIdempotency {
  readonly #find
  readonly #keep
  readonly #forget
  #cleanedAt = Number.NEGATIVE_INFINITY

  constructor(db: Database) {
    this.#find = db.query<{ fingerprint: string; result: string }, [string, string, number]>(
      'select fingerprint, result from idempotency_keys where scope = ?1 and key = ?2 and expires_at > ?3',
    )
    this.#keep = db.query<never, [string, string, string, string, number]>(
      'insert or replace into idempotency_keys (scope, key, fingerprint, result, expires_at) values (?1, ?2, ?3, ?4, ?5)',
    )
    this.#forget = db.query<never, [number, number]>(
      `delete from idempotency_keys where rowid in
         (select rowid from idempotency_keys where expires_at <= ?1 order by expires_at limit ?2)`,
    )
  }

  /**
   * What the first request under this key was answered.
   *
   * @param now milliseconds since the epoch
   * @returns the kept result, or undefined when this is the first request
   * @throws IdempotencyMismatch when the key belongs to another request
   */
  recall({ scope, key, fingerprint }: Idempotency, now: number): string | undefined {
    const first = this.#find.get(scope, key, now)
    if (first === null) return undefined
    if (first.fingerprint !== fingerprint) throw new IdempotencyMismatch()
    return first.result
  }

  /** Keeps `result` as the answer to this key for IDEMPOTENCY_KEPT_MS, and now and then forgets keys that are older. */
  remember({ scope, key, fingerprint }: Idempotency, result: string, now: number): void {
    this.#keep.run(scope, key, fingerprint, result, now + IDEMPOTENCY_KEPT_MS)
    if (now - this.#cleanedAt < IDEMPOTENCY_CLEANUP_EVERY_MS) return
    this.#cleanedAt = now
    this.#forget.run(now, IDEMPOTENCY_CLEANUP_ROWS_MAX)
  }
}
