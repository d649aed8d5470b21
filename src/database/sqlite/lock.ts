import { SQLiteError } from 'bun:sqlite'
import { DatabaseUnavailable, type UnavailableReason } from '../errors.ts'

/** How long a call retries while other processes hold the lock. */
const lockTimeoutMs = 5_000
/** The longest pause between two attempts. Each pause is random, so that processes do not retry in step. */
const maxLockPauseMs = 8

/** SQLite's primary result codes (the low byte of the extended one): https://www.sqlite.org/rescode.html */
const busy = 5
const unavailableReasons: ReadonlyMap<number, UnavailableReason> = new Map([
  [busy, 'busy'],
  [6, 'busy'], // SQLITE_LOCKED
  [8, 'full'], // SQLITE_READONLY: the file system became read-only
  [10, 'full'], // SQLITE_IOERR
  [13, 'full'], // SQLITE_FULL
  [14, 'unreachable'], // SQLITE_CANTOPEN
])

/**
 * Finds the reason for a temporary error of SQLite.
 *
 * @returns undefined for an error that a later try would meet again
 */
export function sqliteUnavailable(error: unknown): DatabaseUnavailable | undefined {
  if (error instanceof DatabaseUnavailable) return error
  if (!(error instanceof SQLiteError)) return undefined
  const reason = unavailableReasons.get(error.errno & 0xff)
  return reason && new DatabaseUnavailable(reason, `the database file: ${error.message}`, { cause: error })
}

/**
 * Runs `work`, and repeats it while other processes hold the lock. SQLite's own `busy_timeout` would block the thread
 * that answers every request, so it is short, and the waiting is done here, with the event loop free.
 *
 * @param work must leave nothing half done when it throws SQLITE_BUSY: one statement, or one transaction
 * @throws DatabaseUnavailable after `timeoutMs`, or at once for a full or broken disk
 */
export async function retryWhileBusy<T>(work: () => T, timeoutMs = lockTimeoutMs): Promise<T> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    try {
      return work()
    } catch (error) {
      const isBusy = error instanceof SQLiteError && (error.errno & 0xff) === busy
      if (!isBusy || performance.now() >= deadline) throw sqliteUnavailable(error) ?? error
    }
    await Bun.sleep(1 + Math.random() * (maxLockPauseMs - 1))
  }
}
