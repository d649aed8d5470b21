import type { TransactionSQL } from 'bun'
import { DatabaseUnavailable } from '../errors.ts'
import {
  type Idempotency,
  IdempotencyMismatch,
  idempotencyCleanupIntervalMs,
  idempotencyRetentionMs,
  maxIdempotencyCleanupRows,
} from '../idempotency.ts'

/** Idempotency keys in PostgreSQL. They are written in the transaction of the write that they protect. */
export class PostgresIdempotencyKeys {
  #cleanedAt = Number.NEGATIVE_INFINITY

  /**
   * Claims a key and saves its result. A second transaction with the same key waits here until this one ends. If this
   * one commits, the second gets the result; if it fails, the second claims the key.
   *
   * @param result can still be replaced by `save` in this transaction, when it is not known before the write
   * @param now milliseconds since the epoch
   * @returns the result of the first request under this key; undefined when this is the first request
   * @throws IdempotencyMismatch when the key belongs to another request
   */
  async claim(
    transaction: TransactionSQL,
    { scope, key, fingerprint }: Idempotency,
    result: string,
    now: number,
  ): Promise<string | undefined> {
    const claimed = await transaction`
      insert into idempotency_keys as kept (scope, key, fingerprint, result, expires_at)
      values (${scope}, ${key}, ${fingerprint}, ${result}, ${now + idempotencyRetentionMs})
      on conflict (scope, key) do update
        set fingerprint = excluded.fingerprint, result = excluded.result, expires_at = excluded.expires_at
        where kept.expires_at <= ${now}`
    if (claimed.count > 0) {
      await this.#deleteExpired(transaction, now)
      return undefined
    }
    const [first] = await transaction<{ fingerprint: string; result: string }[]>`
      select fingerprint, result from idempotency_keys where scope = ${scope} and key = ${key}`
    // The key expired and was deleted between the two statements.
    if (first === undefined)
      throw new DatabaseUnavailable('busy', 'the idempotency key expired at this moment')
    if (first.fingerprint !== fingerprint) throw new IdempotencyMismatch()
    return first.result
  }

  /** Replaces the result of a key that this transaction has claimed. */
  async save(transaction: TransactionSQL, { scope, key }: Idempotency, result: string): Promise<void> {
    await transaction`
      update idempotency_keys set result = ${result} where scope = ${scope} and key = ${key}`
  }

  async #deleteExpired(transaction: TransactionSQL, now: number): Promise<void> {
    if (now - this.#cleanedAt < idempotencyCleanupIntervalMs) return
    this.#cleanedAt = now
    // Locked rows are skipped: two instances that wait for each other's rows would deadlock.
    await transaction`
      delete from idempotency_keys where (scope, key) in (
        select scope, key from idempotency_keys where expires_at <= ${now}
        order by expires_at limit ${maxIdempotencyCleanupRows} for update skip locked)`
  }
}
