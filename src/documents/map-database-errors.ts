import { isDatabaseFailure } from '../database/errors.ts'
import { StoreUnavailable } from './document-store.ts'

/** What a client is told to wait. Reconnecting is at once, so this only spreads the retries. */
const RETRY_AFTER_SECONDS = 1

/**
 * Runs a call of an adapter and gives its failures the port's words.
 *
 * @throws StoreUnavailable for a database that is away, busy, full or closed, or turned out unfit after the start;
 *   every other error as it is
 */
export async function asStore<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    if (isDatabaseFailure(error)) throw new StoreUnavailable(RETRY_AFTER_SECONDS, { cause: error })
    throw error
  }
}
