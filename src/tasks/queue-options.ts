/** What every adapter needs to know; the defaults are open.ts's. */
export interface QueueOptions {
  /** Tasks that may wait; one more is refused. */
  readonly waitingMax: number
  /** Runs of a task before it is given up. */
  readonly attemptsMax: number
  /** How long an ended task is kept, in ms. */
  readonly keptMs: number
  /** How long a worker may be silent before its task is given to another, in ms. */
  readonly leaseMs: number
  /** The longest wait between the first and the second run of a task that failed, in ms; see backoffMs. */
  readonly backoffFirstMs: number
  /** Milliseconds since the epoch, the same for all processes. */
  readonly now: () => number
  /** Uniform in [0, 1). */
  readonly random: () => number
}

/** Ended tasks that are deleted at a time: the rest waits for the next look. */
export const cleanUpMax = 1_000

/** How often ended tasks whose time is over are looked for, in ms. */
export function cleanUpEveryMs({ keptMs }: Pick<QueueOptions, 'keptMs'>): number {
  return Math.min(10_000, keptMs)
}
