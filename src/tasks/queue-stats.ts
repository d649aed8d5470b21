import type { TaskStatus } from './task.ts'
import type { QueueStats } from './task-queue.ts'
import type { CountRow, HeldTaskRow, WaitingRow, WorkerRow } from './task-sql.ts'

/** Builds the statistics of a queue in a database from its rows. */
export function toQueueStats(
  counts: readonly CountRow[],
  { delayed, oldest_ms, completed_recently, paused }: WaitingRow,
  workers: readonly WorkerRow[],
  held: readonly HeldTaskRow[],
): QueueStats {
  const count = (status: TaskStatus) => Number(counts.find((row) => row.status === status)?.n ?? 0)
  const taskIds = Map.groupBy(held, ({ worker }) => worker)
  return {
    waiting: Math.max(0, count('pending') - Number(delayed)),
    delayed: Number(delayed),
    processing: count('processing'),
    completed: count('completed'),
    failed: count('failed'),
    cancelled: count('cancelled'),
    oldestWaitingMs: oldest_ms === null ? undefined : Math.max(0, Number(oldest_ms)),
    completedLastMinute: Number(completed_recently),
    paused: paused === 1,
    workers: workers.map(({ id, name, version, concurrency, seen_at }) => ({
      name,
      version,
      concurrency,
      taskIds: (taskIds.get(id) ?? []).map((task) => task.id),
      seenAt: Number(seen_at),
    })),
  }
}
