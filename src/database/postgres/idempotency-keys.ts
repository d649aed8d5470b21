import type { TransactionSQL } from 'bun'
import { DatabaseUnavailable } from '../errors.ts'
import {
  IDEMPOTENCY_CLEANUP_EVERY_MS,
  IDEMPOTENCY_CLEANUP_ROWS_MAX,
  IDEMPOTENCY_KEPT_MS,
  type Idempotency,
  IdempotencyMismatch,
} from '../idempotency.ts'

/** Idempotency keys in PostgreSQL, for whatever is written beside them in the same transaction. */
export class PostgresIdempotency {
  #cleanedAt = Number.NEGATIVE_INFINITY

  /**
   * Takes a key with its result. A second transaction with the same key waits here until this one ends: if it commits,
   * the second gets the result; if it fails, the key goes with it and the second one takes its place.
   *
   * @param result what `keep` may still replace in this transaction, where it is not known before the write
   * @param now milliseconds since the epoch
   * @returns the result of the first request under this key; undefined when this is the first
   * @throws IdempotencyMismatch when the key belongs to another request
   */
  async take(
    transaction: TransactionSQL,
    { scope, key, fingerprint }: Idempotency,
    result: string,
    now: number,
  ): Promise<string | undefined> {
    const taken = await transaction`
      insert into idempotency_keys as kept (scope, key, fingerprint, result, expires_at)
      values (${scope}, ${key}, ${fingerprint}, ${result}, ${now + IDEMPOTENCY_KEPT_MS})
      on conflict (scope, key) do update
        set fingerprint = excluded.fingerprint, result = excluded.result, expires_at = excluded.expires_at
        where kept.expires_at <= ${now}`
    if (taken.count > 0) {
      await this.#forgetOld(transaction, now)
      return undefined
    }
    const [first] = await transaction<{ fingerprint: string; result: string }[]>`
      select fingerprint, result from idempotency_keys where scope = ${scope} and key = ${key}`
    // It expired and was cleaned away between the two statements.
    if (first === undefined)
      throw new DatabaseUnavailable('busy', 'the idempotency key expired in this moment')
    if (first.fingerprint !== fingerprint) throw new IdempotencyMismatch()
    return first.result
  }

  /** Replaces the result of a key that this transaction has taken. */
  async keep(transaction: TransactionSQL, { scope, key }: Idempotency, result: string): Promise<void> {
    await transaction`
      update idempotency_keys set result = ${result} where scope = ${scope} and key = ${key}`
  }

  async #forgetOld(transaction: TransactionSQL, now: number): Promise<void> {
    if (now - this.#cleanedAt < IDEMPOTENCY_CLEANUP_EVERY_MS) return
    this.#cleanedAt = now
    // Skipping locked rows: an instance that waited for another's row here could deadlock with it.
    await transaction`
      delete from idempotency_keys where (scope, key) in (
        select scope, key from idempotency_keys where expires_at <= ${now}
        order by expires_at limit ${IDEMPOTENCY_CLEANUP_ROWS_MAX} for update skip locked)`
  }
}
