/** The status of a task. Completed and failed are final, unless an operator retries a failed task. */
export type TaskStatus = 'pending' | 'processing' | 'completed' | 'failed'

export const taskStatuses = ['pending', 'processing', 'completed', 'failed'] as const satisfies TaskStatus[]

/** Accepted work that must not be lost. */
export interface Task {
  /** A UUID v7. */
  readonly id: string
  /** JSON text of the work, as it was accepted. */
  readonly payload: string
  readonly status: TaskStatus
  /** Attempts that were started and not released. */
  readonly attempts: number
  /** Milliseconds since the epoch. */
  readonly createdAt: number
  readonly updatedAt: number
  /** JSON text. A completed task has exactly one result, every other task has none. */
  readonly result: string | undefined
  /** Why the latest attempt failed; for a failed task, why it failed permanently. */
  readonly error: string | undefined
  /** The trace context in which the task was accepted (W3C `traceparent`). Only claimed tasks have it. */
  readonly traceparent?: string | undefined
}

/** Creates a task in the state in which it is accepted. */
export function createTask(id: string, payload: string, now: number, traceparent?: string): Task {
  return {
    id,
    payload,
    status: 'pending',
    attempts: 0,
    createdAt: now,
    updatedAt: now,
    result: undefined,
    error: undefined,
    traceparent,
  }
}

/** Whether a task is completed or failed. */
export function isEnded({ status }: Pick<Task, 'status'>): boolean {
  return status === 'completed' || status === 'failed'
}

/** The longest wait between two attempts of a task, in ms. */
const maxBackoffMs = 60_000

/**
 * The wait before the next attempt of a failed task. It is exponential with jitter, so that tasks which failed together
 * do not return together (Brooker, Exponential Backoff And Jitter, 2015).
 *
 * @param attempts attempts so far, at least 1
 * @param initialMs the longest wait after the first attempt; it doubles with each further one, up to a minute
 * @param random uniform in [0, 1)
 * @returns milliseconds, between half and the whole of the longest wait
 * @example computeBackoffMs(3, 1_000, 0.5) // 3,000: between 2,000 and 4,000
 */
export function computeBackoffMs(attempts: number, initialMs: number, random: number): number {
  const longest = Math.min(maxBackoffMs, initialMs * 2 ** (attempts - 1))
  return Math.round((longest / 2) * (1 + random))
}
