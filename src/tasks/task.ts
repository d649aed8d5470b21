/** Where a task stands. Once completed or failed it stays so, unless an operator retries a failed one. */
export type TaskStatus = 'pending' | 'processing' | 'completed' | 'failed'

export const taskStatuses = ['pending', 'processing', 'completed', 'failed'] as const satisfies TaskStatus[]

/** Work that was accepted and is not forgotten. */
export interface Task {
  /** A UUID v7. */
  readonly id: string
  /** JSON text of what is to be done, as it was accepted. */
  readonly payload: string
  readonly status: TaskStatus
  /** Runs that were begun and not handed back. */
  readonly attempts: number
  /** Milliseconds since the epoch. */
  readonly createdAt: number
  readonly updatedAt: number
  /** JSON text; exactly one for a completed task, none otherwise. */
  readonly result: string | undefined
  /** Why the newest run failed; for a failed task, why it was given up. */
  readonly error: string | undefined
  /** Where in a trace it was accepted (W3C `traceparent`); only who runs it is told. */
  readonly traceparent?: string | undefined
}

/** A task as it is when it was just accepted. */
export function newTask(id: string, payload: string, now: number, traceparent?: string): Task {
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

/** Whether nothing more happens to a task by itself. */
export function isEnded({ status }: Pick<Task, 'status'>): boolean {
  return status === 'completed' || status === 'failed'
}

/** The longest wait between two runs of a task, in ms. */
const backoffMsMax = 60_000

/**
 * How long to wait before the next run of a task that failed: exponential, with jitter, so that tasks
 * that failed together do not come back together (Brooker, Exponential Backoff And Jitter, 2015).
 *
 * @param attempts runs so far, at least 1
 * @param firstMs the longest wait after the first run; it doubles with each further one, up to a minute
 * @param random uniform in [0, 1)
 * @returns milliseconds, between half and the whole of the longest wait
 * @example backoffMs(3, 1_000, 0.5) // 3,000: between 2,000 and 4,000
 */
export function backoffMs(attempts: number, firstMs: number, random: number): number {
  const longest = Math.min(backoffMsMax, firstMs * 2 ** (attempts - 1))
  return Math.round((longest / 2) * (1 + random))
}
