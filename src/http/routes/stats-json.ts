import type { QueueStats } from '../../tasks/task-queue.ts'

/** The statistics of the queue as clients see them. */
export interface StatsJson {
  readonly waiting: number
  readonly delayed: number
  readonly processing: number
  readonly completed: number
  readonly failed: number
  readonly cancelled: number
  readonly oldest_waiting_seconds: number | null
  readonly runs_per_minute: number
  readonly paused: boolean
  readonly workers: readonly WorkerJson[]
}

export interface WorkerJson {
  readonly name: string
  readonly version: string
  readonly concurrency: number
  readonly task_ids: readonly string[]
  readonly seen_at: string
}

export function toStatsJson(stats: QueueStats): StatsJson {
  const { waiting, delayed, processing, completed, failed, cancelled, paused } = stats
  return {
    waiting,
    delayed,
    processing,
    completed,
    failed,
    cancelled,
    oldest_waiting_seconds: stats.oldestWaitingMs === undefined ? null : stats.oldestWaitingMs / 1_000,
    runs_per_minute: stats.completedLastMinute,
    paused,
    workers: stats.workers
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      .map(({ name, version, concurrency, taskIds, seenAt }) => ({
        name,
        version,
        concurrency,
        task_ids: taskIds,
        seen_at: new Date(seenAt).toISOString(),
      })),
  }
}
