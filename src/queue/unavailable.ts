import { DatabaseUnavailable } from '../database/database-error.ts'
import { QueueUnavailable } from './task-queue.ts'

/** How soon a client may try again while the database is away, in seconds. */
const retryAfterSeconds = 1

/** Runs a call of a queue that lives in a database: when the database is away, so is the queue. */
export async function asQueue<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    if (error instanceof DatabaseUnavailable) throw new QueueUnavailable(retryAfterSeconds, { cause: error })
    throw error
  }
}
