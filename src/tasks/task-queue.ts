import type { Idempotency, IdempotencyMismatch } from '../database/idempotency.ts'
import type { InvalidCursor } from '../database/invalid-cursor.ts'
import type { NewTask, Task, TaskStatus } from './task.ts'

/** The most tasks of a page, and the size at which a page ends early. A page always has at least one task. */
export const maxPageTasks = 1_000
export const maxPageCharacters = 16 * 1024 * 1024

export interface Enqueued {
  readonly task: Task
  /** True when nothing was added: this repeats the first answer to the same idempotency key. */
  readonly replayed: boolean
}

export interface TaskPageRequest {
  /** 1 to maxPageTasks. */
  readonly limit: number
  readonly status?: TaskStatus | undefined
  /** Continue after this cursor: the `next` of an earlier page. Default: from the newest task. */
  readonly after?: string | undefined
}

export interface TaskPage {
  /** Newest first. A page may have fewer tasks than the limit and still have a next page. */
  readonly tasks: readonly Task[]
  /** Where the next page continues; undefined on the last page. */
  readonly next: string | undefined
}

/** The context of a handler. */
export interface RunContext {
  /** Aborted when the run must end now: the task was cancelled, the worker stops, the lease is lost, or it timed out. */
  readonly signal: AbortSignal
}

/**
 * Does the work of a task and returns its result as JSON text. When it throws, the run has failed, and the task is
 * retried later until its attempts are used up. After UnrecoverableTask it is not retried. After TaskPostponed it
 * becomes pending again later, with its attempt refunded.
 */
export type TaskHandler = (task: Task, context: RunContext) => Promise<string>

export interface ConsumeOptions {
  /** The most tasks that run at a time. */
  readonly concurrency: number
  /** How long one run may take, in ms; may depend on the task. Then it is aborted, which counts as a failed attempt. */
  readonly timeoutMs: number | ((task: Task) => number)
  /** Called after every run, for metrics and logs. */
  readonly onRunEnd?: (run: RunReport) => void
  /** How the worker introduces itself in `QueueStats.workers`. Default: without a name. */
  readonly worker?: { readonly name: string; readonly version: string }
}

export interface RunReport {
  readonly task: Task
  /**
   * `retried`: the attempt failed, and the task will run again. `released`: the worker stops, and the task is pending
   * again. `postponed`: this worker cannot run the task, which is pending again. `lost`: the lease expired, and nothing
   * was written. `cancelled`: the task was cancelled during the run, and nothing was written.
   */
  readonly outcome: 'completed' | 'failed' | 'retried' | 'released' | 'postponed' | 'lost' | 'cancelled'
  readonly durationMs: number
  /** How long the task was due before it was claimed, in ms, by the queue's clock. Never negative. */
  readonly waitMs: number
  readonly error?: unknown
}

/** Runs the tasks of a queue in this process. */
export interface Consumer {
  /** How many tasks are running now. */
  readonly activeCount: number
  /** Why the latest claim failed; undefined when it did not. */
  readonly claimError: unknown
  /** Stops claiming tasks. */
  pause(): void
  /** Resolves when the running tasks have ended. Implies pause. */
  finish(): Promise<void>
  /**
   * Aborts the running tasks and releases them, with their attempts refunded. Resolves soon, even when the queue is
   * unavailable, with the ids of all unfinished tasks. A task that could not be released runs when its lease expires.
   */
  release(): Promise<readonly string[]>
}

/** A worker with a recent heartbeat. */
export interface WorkerStats {
  readonly name: string
  readonly version: string
  readonly concurrency: number
  /** The tasks that it runs now. */
  readonly taskIds: readonly string[]
  /** Time of its last heartbeat, in ms since the epoch, by the queue's clock. */
  readonly seenAt: number
}

/** The queue at this moment. */
export interface QueueStats {
  /** Pending tasks that are due. */
  readonly waiting: number
  /** Pending tasks that are not due yet, because of their `runAt` or a back-off. */
  readonly delayed: number
  readonly processing: number
  readonly completed: number
  readonly failed: number
  readonly cancelled: number
  /** How long the task that has been due for longest has waited, in ms; undefined when no task is waiting. */
  readonly oldestWaitingMs: number | undefined
  /** Tasks completed in the last minute. */
  readonly completedLastMinute: number
  /** Whether claiming is paused, by `setPaused`. */
  readonly paused: boolean
  /** The consumers that sent a heartbeat within the last three intervals, in no particular order. */
  readonly workers: readonly WorkerStats[]
}

/** Whether accepted tasks survive a crash of the queue's own server. */
export type Durability =
  | {
      readonly durable: true
      /** What the server does not show, and the configuration leaves to the platform. Default: nothing. */
      readonly unverified?: readonly Unverified[]
    }
  | { readonly durable: false; readonly reason: string }
export type Unverified = 'persistence' | 'eviction'

/**
 * Tasks that must not be lost.
 *
 * What every adapter promises:
 * - An accepted task survives `kill -9` of every process, and a restart of the queue's server.
 * - It runs at least once, on one worker at a time. It is claimed with a lease that is renewed while the handler runs.
 *   When a worker dies, its lease expires and another worker claims the task.
 * - It ends with exactly one recorded result: a worker that has lost its lease cannot write.
 * - Tasks that are due are claimed by priority, the highest first, then by the time at which they became due, then in
 *   order of arrival. No task is claimed before it is due.
 * - A cancelled task that is pending never runs. The run of a cancelled task is aborted soon, and records nothing.
 * - When a clock jumps, of a process or of the queue's server, no task stays pending and none runs twice because of it:
 *   a task that is due at once does not depend on a clock, leases are measured by intervals, and relative delays are
 *   counted again when the clock went back.
 * - A failed attempt is repeated with a growing delay. When its attempts are used up the task has failed, and it is kept
 *   with its error. A run that dies with its worker uses up its attempt, so a task that kills workers ends too.
 * - Ended tasks are kept for the retention time and then deleted. Tasks that have not ended are never deleted.
 * - Any call can fail with QueueUnavailable, promptly, and only with that while the server is unavailable. When the
 *   server is back, calls and consumers continue without a restart.
 */
export interface TaskQueue {
  /**
   * Accepts a task. `idempotency` works as in DocumentStore.create. The fingerprint must cover everything of the task
   * that a client chooses.
   *
   * @throws QueueFull when the queue is at capacity
   * @throws IdempotencyMismatch when the key was used with another fingerprint
   */
  enqueue(task: NewTask, idempotency?: Idempotency): Promise<Enqueued>

  /** The task, or undefined when the id is unknown or the task was deleted. */
  find(id: string): Promise<Task | undefined>

  /** @throws InvalidCursor when `after` is not a cursor */
  list(request: TaskPageRequest): Promise<TaskPage>

  /**
   * Makes a failed task pending again, with all its attempts.
   *
   * @returns the task, now pending; undefined when the id is unknown
   * @throws TaskNotFailed when it is in another state
   */
  retry(id: string): Promise<Task | undefined>

  /**
   * Makes all failed tasks pending again, with all their attempts, the oldest first. May exceed the capacity.
   *
   * @param limit the most tasks; default: all
   * @returns how many
   */
  retryFailed(limit?: number): Promise<number>

  /**
   * Cancels a task. A pending task then never runs. A running one is aborted through its signal soon, and its result is
   * not recorded. Cancelling a cancelled task changes nothing.
   *
   * @returns the task, now cancelled; undefined when the id is unknown
   * @throws TaskEnded when it is completed or failed
   */
  cancel(id: string): Promise<Task | undefined>

  /**
   * Yields the task now and after each update, until it has ended or the signal aborts; nothing when the id is unknown.
   * Updates in quick succession may be seen as one. The end is always seen.
   */
  watch(id: string, signal: AbortSignal): AsyncIterable<Task>

  /** The number of pending tasks, including delayed ones and those that wait for their next attempt. */
  depth(): Promise<number>

  stats(): Promise<QueueStats>

  /**
   * Pauses or resumes claiming, for all consumers of the queue in all processes, until it is called again: also across
   * restarts. Running tasks finish, and tasks are still accepted. A claim in flight may still succeed.
   */
  setPaused(paused: boolean): Promise<void>

  /** Runs tasks until the consumer is finished. */
  consume(handler: TaskHandler, options: ConsumeOptions): Consumer

  /** Resolves when the queue would accept a task, and let one be claimed. Writes nothing. */
  ping(): Promise<void>

  /** Whether accepted tasks survive a crash of the queue's own server, and the reason if they do not. */
  durability(): Promise<Durability>

  /**
   * Releases the tasks of its consumers, then closes. Later calls fail with QueueUnavailable. A second call returns the
   * same promise. Never hangs when the server is unavailable.
   */
  close(): Promise<void>
}

/** The queue is at capacity. */
export class QueueFull extends Error {
  override readonly name = 'QueueFull'
  readonly code = 'queue-full'
  /** How soon a client may try again. */
  readonly retryAfterSeconds = 5
  constructor(
    /** The number of pending tasks that the queue accepts. */
    readonly capacity: number,
  ) {
    super(`the queue is full: ${capacity} tasks are pending`)
  }
}

/** The task has not failed, so there is nothing to retry. */
export class TaskNotFailed extends Error {
  override readonly name = 'TaskNotFailed'
  readonly code = 'task-not-failed'
  constructor(readonly status: TaskStatus) {
    super(`the task is ${status}`)
  }
}

/** The task is completed or failed, so there is nothing to cancel. */
export class TaskEnded extends Error {
  override readonly name = 'TaskEnded'
  readonly code = 'task-ended'
  constructor(readonly status: TaskStatus) {
    super(`the task is ${status}`)
  }
}

/** Thrown by a handler when another attempt of the task would fail the same way. */
export class UnrecoverableTask extends Error {
  override readonly name = 'UnrecoverableTask'
}

/** Thrown by a handler when this process cannot run the task, but another may. */
export class TaskPostponed extends Error {
  override readonly name = 'TaskPostponed'
}

/** A handler exceeded its time limit. */
export class RunTimeout extends Error {
  override readonly name = 'RunTimeout'
  constructor(readonly timeoutMs: number) {
    super(`the task timed out after ${timeoutMs / 1_000} s`)
  }
}

/** The queue cannot do this now; a retry may succeed. The cause is for the log, not for clients. */
export class QueueUnavailable extends Error {
  override readonly name = 'QueueUnavailable'
  readonly code = 'queue-unavailable'
  constructor(
    /** How soon a client may try again. */
    readonly retryAfterSeconds: number,
    options: ErrorOptions,
  ) {
    super('the task queue is unavailable', options)
  }
}

/** The errors that callers of a TaskQueue handle. Each has its own `code`. */
export type TaskQueueError =
  | IdempotencyMismatch
  | InvalidCursor
  | QueueFull
  | QueueUnavailable
  | TaskEnded
  | TaskNotFailed
