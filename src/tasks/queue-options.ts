/** What every adapter needs to know; the defaults are open.ts's. */
export interface QueueOptions {
  /** Tasks that may wait; one more is refused. */
  readonly capacity: number
  /** Runs of a task before it is given up. */
  readonly maxAttempts: number
  /** How long an ended task is kept, in ms. */
  readonly retentionMs: number
  /** How long a worker may be silent before its task is given to another, in ms. */
  readonly leaseMs: number
  /** The longest wait between the first and the second run of a task that failed, in ms; see backoffMs. */
  readonly initialBackoffMs: number
  /** Milliseconds since the epoch, the same for all processes. */
  readonly now: () => number
  /** Uniform in [0, 1). */
  readonly random: () => number
}

/** Ended tasks that are deleted at a time: the rest waits for the next look. */
export const cleanupBatchSize = 1_000

/** How often ended tasks whose time is over are looked for, in ms. */
export function cleanupIntervalMs({ retentionMs }: Pick<QueueOptions, 'retentionMs'>): number {
  return Math.min(10_000, retentionMs)
}
