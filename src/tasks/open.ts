import type { OpenDatabase } from '../database/open.ts'
import type { QueueOptions } from './queue-options.ts'
import { SqliteTaskQueue } from './sqlite.ts'
import type { TaskQueue } from './task-queue.ts'

const defaultOptions: QueueOptions = {
  capacity: 100_000,
  maxAttempts: 3,
  retentionMs: 24 * 60 * 60 * 1_000,
  leaseMs: 15_000,
  initialBackoffMs: 1_000,
  now: Date.now,
  random: Math.random,
  onError: () => {},
}

/** Where tasks are stored: in an open database, or on a Redis server. */
export type QueueBackend =
  | OpenDatabase
  | {
      readonly engine: 'redis'
      readonly url: string
      /** Whether the platform keeps what the server has accepted, and not an append-only file. Default false. */
      readonly managed?: boolean
    }

/**
 * Opens the task queue of a backend. Closing the queue leaves a database open. BullMQ is loaded only where it is used,
 * because it would double the time of a start.
 */
export async function openTaskQueue(
  backend: QueueBackend,
  options: Partial<QueueOptions> = {},
): Promise<TaskQueue> {
  const complete = { ...defaultOptions, ...options }
  switch (backend.engine) {
    case 'sqlite':
      return new SqliteTaskQueue(backend.file, complete)
    case 'postgres': {
      const { PostgresTaskQueue } = await import('./postgres/queue.ts')
      return new PostgresTaskQueue(backend.pool, complete)
    }
    case 'redis': {
      const { RedisTaskQueue } = await import('./redis/queue.ts')
      return new RedisTaskQueue(backend, complete)
    }
  }
}
