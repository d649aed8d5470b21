/** Background work of a queue, whose failures no caller receives. */
export type BackgroundOperation =
  | 'claim'
  | 'renew'
  | 'record the outcome'
  | 'find cancelled tasks'
  | 'announce the worker'
  | 'promote delayed tasks'
  | 'requeue expired leases'
  | 'delete ended tasks'
  | 'notify'
  | 'listen'

/** The options of every adapter. The defaults are in open.ts. */
export interface QueueOptions {
  /** The most pending tasks. One more is refused. */
  readonly capacity: number
  /** Attempts of a task before it fails permanently. */
  readonly maxAttempts: number
  /** How long an ended task is kept, in ms. */
  readonly retentionMs: number
  /** How long a worker may be silent before another worker claims its task, in ms. */
  readonly leaseMs: number
  /** The longest wait between the first and the second attempt of a failed task, in ms; see computeBackoffMs. */
  readonly initialBackoffMs: number
  /** Milliseconds since the epoch, the same for all processes. */
  readonly now: () => number
  /** Uniform in [0, 1). */
  readonly random: () => number
  /** Called whenever background work fails. It is tried again in any case. */
  readonly onError: (error: unknown, operation: BackgroundOperation) => void
}

/** Renewals of a lease, and heartbeats of a worker, in the time that a lease holds. */
export const heartbeatsPerLease = 3

/** The time between two renewals of a lease, and between two heartbeats of a worker, in ms. */
export function heartbeatIntervalMs({ leaseMs }: Pick<QueueOptions, 'leaseMs'>): number {
  return leaseMs / heartbeatsPerLease
}

/** A worker that has been silent for longer counts as gone, in ms. */
export function silentWorkerMs(options: Pick<QueueOptions, 'leaseMs'>): number {
  return 3 * heartbeatIntervalMs(options)
}

/** How long a worker may be silent before its announcement is deleted, in ms. */
export const forgottenWorkerMs = 60 * 60 * 1_000

/** The most failed tasks that one statement makes pending again. */
export const retryBatchSize = 1_000

/** The most ended tasks that one statement of a cleanup deletes. The cleanup repeats it until none is left. */
export const cleanupBatchSize = 1_000

/** The time between two cleanups of ended tasks, in ms. */
export function cleanupIntervalMs({ retentionMs }: Pick<QueueOptions, 'retentionMs'>): number {
  return Math.min(10_000, retentionMs)
}
