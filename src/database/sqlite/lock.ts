import { SQLiteError } from 'bun:sqlite'
import { DatabaseUnavailable, type UnavailableReason } from '../errors.ts'

/** How long a call goes on trying while other processes hold the lock. */
const LOCK_WAIT_MS_MAX = 5_000
/** The longest pause between two tries; each pause is random below it, so that processes do not march in step. */
const LOCK_PAUSE_MS_MAX = 8

/** SQLite's primary result codes (the low byte of the extended one): https://www.sqlite.org/rescode.html */
const BUSY = 5
const UNAVAILABLE: ReadonlyMap<number, UnavailableReason> = new Map([
  [BUSY, 'busy'],
  [6, 'busy'], // SQLITE_LOCKED
  [8, 'full'], // SQLITE_READONLY: the file system went read-only under us
  [10, 'full'], // SQLITE_IOERR
  [13, 'full'], // SQLITE_FULL
  [14, 'away'], // SQLITE_CANTOPEN
])

/**
 * What an error of SQLite means to somebody who may try again.
 *
 * @returns undefined for an error that a later try would meet again
 */
export function sqliteUnavailable(error: unknown): DatabaseUnavailable | undefined {
  if (error instanceof DatabaseUnavailable) return error
  if (!(error instanceof SQLiteError)) return undefined
  const reason = UNAVAILABLE.get(error.errno & 0xff)
  return reason && new DatabaseUnavailable(reason, `the database file: ${error.message}`, { cause: error })
}

/**
 * Does `work`, and while other processes hold the lock does it again. SQLite's own `busy_timeout` would sleep on the
 * thread that answers every request, so it is short and the waiting is done here, with the event loop free.
 *
 * @param work must leave nothing half done when it throws SQLITE_BUSY: one statement, or one transaction
 * @throws DatabaseUnavailable after LOCK_WAIT_MS_MAX, or at once for a full or broken disk
 */
export async function whenUnlocked<T>(work: () => T, waitMsMax = LOCK_WAIT_MS_MAX): Promise<T> {
  const deadline = performance.now() + waitMsMax
  for (;;) {
    try {
      return work()
    } catch (error) {
      const busy = error instanceof SQLiteError && (error.errno & 0xff) === BUSY
      if (!busy || performance.now() >= deadline) throw sqliteUnavailable(error) ?? error
    }
    await Bun.sleep(1 + Math.random() * (LOCK_PAUSE_MS_MAX - 1))
  }
}
