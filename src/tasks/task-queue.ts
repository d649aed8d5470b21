import type { Idempotency, IdempotencyMismatch } from '../database/idempotency.ts'
import type { InvalidCursor } from '../database/invalid-cursor.ts'
import type { Task, TaskStatus } from './task.ts'

/** Tasks of one page, and the text after which a page ends early (it always has at least one task). */
export const maxPageTasks = 1_000
export const maxPageCharacters = 16 * 1024 * 1024

export interface Enqueued {
  readonly task: Task
  /** True when nothing was added: this is the first answer to the same idempotency key. */
  readonly replayed: boolean
}

export interface TaskPageRequest {
  /** 1 to maxPageTasks. */
  readonly limit: number
  readonly status?: TaskStatus | undefined
  /** Continue after this point, one that a page gave as `next`. From the newest when left out. */
  readonly after?: string | undefined
}

export interface TaskPage {
  /** Newest first. There may be fewer than asked for, and still a next page. */
  readonly tasks: readonly Task[]
  /** Where the next page continues; undefined when there was nothing more. */
  readonly next: string | undefined
}

/** What a handler is told beside the task. */
export interface RunContext {
  /** Aborted when the run must end now: the worker stops, the lease is lost, or the task took too long. */
  readonly signal: AbortSignal
}

/**
 * Does the work of a task and gives its result as JSON text. Throwing fails the run: it is tried again later
 * until the attempts are spent. An UnrecoverableTask is not tried again.
 */
export type TaskHandler = (task: Task, context: RunContext) => Promise<string>

export interface ConsumeOptions {
  /** Tasks run at a time. */
  readonly concurrency: number
  /** How long one run may take, in ms; then it is aborted, and that counts as a failure of the task. */
  readonly timeoutMs: number
  /** Told about every run that ended, for metrics and logs. */
  readonly onRunEnd?: (run: RunReport) => void
}

export interface RunReport {
  readonly task: Task
  /** `retried`: failed, and it will run again. `lost`: another worker has it now; nothing was written. */
  readonly outcome: 'completed' | 'failed' | 'retried' | 'released' | 'lost'
  readonly durationMs: number
  readonly error?: unknown
}

/** A consumer at work. */
export interface Consumer {
  /** How many tasks it is running now. */
  readonly activeCount: number
  /** Claims nothing more from now on. */
  pause(): void
  /** Resolves when the tasks in hand are done. Implies pause. */
  finish(): Promise<void>
  /**
   * Aborts the tasks in hand and hands them back, their attempts not spent. Resolves soon, also when the queue is
   * away, with the ids of all tasks that did not end: those that could not be handed back run when their lease is over.
   */
  release(): Promise<readonly string[]>
}

/**
 * Tasks that must not be lost.
 *
 * What every adapter promises:
 * - A task that was accepted is there after `kill -9` of every process, and after a restart of the queue's server.
 * - It is run at least once, by one worker at a time: claimed with a lease that is renewed while the handler runs.
 *   When a worker dies, its lease runs out and another takes the task.
 * - It ends with exactly one recorded result: a worker that lost its lease cannot write.
 * - A run that fails is tried again with a growing delay; after the attempts are spent the task is failed and kept,
 *   with its error. A run that dies with its worker spends its attempt, so a task that kills workers ends too.
 * - Ended tasks are kept for the time to live, then deleted. Tasks that have not ended are never deleted.
 * - Any call can fail with QueueUnavailable, promptly, and only that while the server is away; when it is back, calls
 *   and consumers go on without a restart.
 */
export interface TaskQueue {
  /**
   * Accepts a task. With `idempotency` as DocumentStore.create.
   *
   * @param traceparent where in a trace that happens (W3C); kept with the task, for whoever runs it
   * @throws QueueFull when as many tasks wait as may
   * @throws IdempotencyMismatch when the key was used with another fingerprint
   */
  enqueue(payload: string, idempotency?: Idempotency, traceparent?: string): Promise<Enqueued>

  /** The task, or undefined when there is none of that id, or no more. */
  find(id: string): Promise<Task | undefined>

  /** @throws InvalidCursor when `after` is none */
  list(request: TaskPageRequest): Promise<TaskPage>

  /**
   * Gives a failed task all its attempts again.
   *
   * @returns the task, now pending; undefined when there is none
   * @throws TaskNotFailed when it is in another state
   */
  retry(id: string): Promise<Task | undefined>

  /**
   * The task now and after each change, until it has ended or the signal aborts; nothing when there is none.
   * Changes that follow each other closely may be seen as one; the end is always seen.
   */
  watch(id: string, signal: AbortSignal): AsyncIterable<Task>

  /** Tasks that wait to be run, those that wait for their next try included. */
  depth(): Promise<number>

  /** Runs tasks as they come until the consumer is finished. */
  consume(handler: TaskHandler, options: ConsumeOptions): Consumer

  /** Resolves when a call would find the queue working. */
  ping(): Promise<void>

  /** Whether accepted tasks survive a crash of the queue's own server, and what is wrong if not. */
  durability(): Promise<{ readonly durable: true } | { readonly durable: false; readonly reason: string }>

  /**
   * Hands back what its consumers still have, then closes. Later calls fail with QueueUnavailable. Twice is the same
   * promise. Never hangs on a server that is away.
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

/** Thrown by a handler: another run of this task would end the same way. */
export class UnrecoverableTask extends Error {
  override readonly name = 'UnrecoverableTask'
}

/** A handler took longer than it may. */
export class RunTimeout extends Error {
  override readonly name = 'RunTimeout'
  constructor(readonly timeoutMs: number) {
    super(`the run was not done after ${timeoutMs / 1_000} s`)
  }
}

/** The queue cannot do this now; a later try may succeed. The cause is for the log, not for clients. */
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
  | TaskNotFailed
