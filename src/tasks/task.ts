/** The status of a task. The last three are final, unless an operator retries a failed task. */
export type TaskStatus = 'pending' | 'processing' | 'completed' | 'failed' | 'cancelled'

export const taskStatuses = [
  'pending',
  'processing',
  'completed',
  'failed',
  'cancelled',
] as const satisfies TaskStatus[]

/** Priorities are 0 to 9, as in AMQP and JMS. Tasks of priority 9 are claimed first. */
export const maxPriority = 9
export const defaultPriority = 5

/** Accepted work that must not be lost. */
export interface Task {
  /** A UUID v7. */
  readonly id: string
  /** The kind of work, which decides the handler. */
  readonly kind: string
  /** JSON text of the work, as it was accepted. */
  readonly payload: string
  readonly status: TaskStatus
  /** 0 to 9; see maxPriority. */
  readonly priority: number
  /**
   * Milliseconds since the epoch. The task is not claimed before, by the queue's clock. The time of creation when the
   * task was due at once.
   */
  readonly runAt: number
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

/** Work to add to a queue. */
export interface NewTask {
  readonly kind: string
  /** JSON text of the work. */
  readonly payload: string
  /** 0 to 9. Default: defaultPriority. */
  readonly priority?: number | undefined
  /** Milliseconds since the epoch, by the queue's clock. Not together with `delayMs`. Default: due at once. */
  readonly runAt?: number | undefined
  /** The wait before the task is due, in ms, counted on the queue's own clock. Not together with `runAt`. */
  readonly delayMs?: number | undefined
  /** The trace context of the caller (W3C `traceparent`), stored for the worker that runs the task. */
  readonly traceparent?: string | undefined
}

/**
 * Creates a task in the state in which it is accepted.
 *
 * @param times in milliseconds since the epoch, by the queue's clock; `runAt` defaults to `createdAt`
 */
export function createTask(
  id: string,
  { kind, payload, priority = defaultPriority, traceparent }: NewTask,
  { createdAt, runAt = createdAt }: { createdAt: number; runAt?: number },
): Task {
  return {
    id,
    kind,
    payload,
    status: 'pending',
    priority,
    runAt,
    attempts: 0,
    createdAt,
    updatedAt: createdAt,
    result: undefined,
    error: undefined,
    traceparent,
  }
}

/** Whether a task is completed, failed or cancelled. */
export function isEnded({ status }: Pick<Task, 'status'>): boolean {
  return status === 'completed' || status === 'failed' || status === 'cancelled'
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

/**
 * The delay before the next attempt of a task that a worker cannot run. It grows with the time for which the task has
 * been due: at first another worker can probably run it, as during a rolling update, and later probably not.
 *
 * @param dueForMs how long the task has been due
 * @param shortestMs the shortest wait
 * @param random uniform in [0, 1)
 * @returns milliseconds, between half and the whole of `dueForMs`, which counts as `shortestMs` at least and as a minute
 *   at most
 * @example computePostponeMs(10_000, 1_000, 0.5) // 7,500
 */
export function computePostponeMs(dueForMs: number, shortestMs: number, random: number): number {
  const longest = Math.min(maxBackoffMs, Math.max(shortestMs, dueForMs))
  return Math.round((longest / 2) * (1 + random))
}
