import type { OpenDatabase } from '../database.ts'
import { PostgresTaskQueue } from './postgres.ts'
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

/** Where tasks are kept: in an open database, or on a Redis server. */
export type QueuePlace = OpenDatabase | { readonly engine: 'redis'; readonly url: string }

/** Opens the tasks of a place. A database stays open when they are closed. */
export async function openQueue(place: QueuePlace, options: Partial<QueueOptions> = {}): Promise<TaskQueue> {
  const complete = { ...defaults, ...options }
  switch (place.engine) {
    case 'sqlite':
      return new SqliteTaskQueue(place.file, complete)
    case 'postgres':
      return new PostgresTaskQueue(place.pool, complete)
    case 'redis': {
      // Loaded only where it is used: BullMQ would double the time of a start.
      const { RedisTaskQueue } = await import('./redis.ts')
      return new RedisTaskQueue(place.url, complete)
    }
  }
}
