import type { OpenDatabase } from '../database.ts'
import type { QueueOptions } from './queue-options.ts'
import { SqliteTaskQueue } from './sqlite.ts'
import type { TaskQueue } from './task-queue.ts'

const defaults: QueueOptions = {
  waitingMax: 100_000,
  attemptsMax: 3,
  keptMs: 24 * 60 * 60 * 1_000,
  leaseMs: 15_000,
  backoffFirstMs: 1_000,
  now: Date.now,
  random: Math.random,
}

/** The tasks of an open database. The database stays open when they are closed. */
export async function openQueue(
  database: OpenDatabase,
  options: Partial<QueueOptions> = {},
): Promise<TaskQueue> {
  if (database.engine === 'postgres') throw new Error('not yet')
  return new SqliteTaskQueue(database.file, { ...defaults, ...options })
}
