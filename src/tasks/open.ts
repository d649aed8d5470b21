import type { OpenDatabase } from '../database/open.ts'
import type { QueueOptions } from './queue-options.ts'
import { SqliteTaskQueue } from './sqlite.ts'
import type { TaskQueue } from './task-queue.ts'

const defaults: QueueOptions = {
  capacity: 100_000,
  maxAttempts: 3,
  retentionMs: 24 * 60 * 60 * 1_000,
  leaseMs: 15_000,
  initialBackoffMs: 1_000,
  now: Date.now,
  random: Math.random,
}

/** Where tasks are kept: in an open database, or on a Redis server. */
export type QueueBackend = OpenDatabase | { readonly engine: 'redis'; readonly url: string }

/**
 * Opens the tasks of a place. A database stays open when they are closed. BullMQ is loaded only where it is used: it
 * would double the time of a start.
 */
export async function openTaskQueue(
  place: QueueBackend,
  options: Partial<QueueOptions> = {},
): Promise<TaskQueue> {
  const complete = { ...defaults, ...options }
  switch (place.engine) {
    case 'sqlite':
      return new SqliteTaskQueue(place.file, complete)
    case 'postgres': {
      const [{ BullmqTaskQueue }, { PostgresBackend }] = await Promise.all([
        import('./bullmq/queue.ts'),
        import('./postgres/backend.ts'),
      ])
      const { url, pool } = place
      return new BullmqTaskQueue((heard) => new PostgresBackend(url, pool, complete, heard), complete)
    }
    case 'redis': {
      const [{ BullmqTaskQueue }, { RedisBackend }] = await Promise.all([
        import('./bullmq/queue.ts'),
        import('./redis/backend.ts'),
      ])
      return new BullmqTaskQueue((heard) => new RedisBackend(place.url, complete, heard), complete)
    }
  }
}
