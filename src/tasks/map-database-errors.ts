import { isDatabaseFailure } from '../database/errors.ts'
import { QueueUnavailable } from './task-queue.ts'

/** How soon a client may try again while the database is away, in seconds. */
const retryAfterSeconds = 1

/**
 * Runs a call of a queue that lives in a database and gives its failures the port's words.
 *
 * @throws QueueUnavailable for a database that is away, busy, full or closed, or turned out unfit after the start;
 *   every other error as it is
 */
export async function asQueue<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    if (isDatabaseFailure(error)) throw new QueueUnavailable(retryAfterSeconds, { cause: error })
    throw error
  }
}
