import type { Job, Queue, Worker } from 'bullmq'
import type { Idempotency } from '../../database/idempotency.ts'
import type { Notifier } from '../notifier.ts'
import type { Task } from '../task.ts'
import type { Enqueued, TaskPage, TaskPageRequest, TaskQueue } from '../task-queue.ts'

/** The queue's name on the server. */
export const queueName = 'tally'

/** How often a task may be given back because its worker died: BullMQ's own count, and ours, the attempts, ends it first. */
export const maxStalledCount = 2 ** 31 - 1

/** How often a process looks for tasks whose lease has run out, in ms. */
export function stalledIntervalMs(leaseMs: number): number {
  return Math.max(100, Math.round(leaseMs / 3))
}

/** What a job holds of its task; BullMQ keeps the rest itself. */
export interface JobData {
  readonly payload: string
  readonly traceparent?: string
}

/** The data of the job of a task. */
export function jobData({ payload, traceparent }: Task): JobData {
  return traceparent === undefined ? { payload } : { payload, traceparent }
}

/** BullMQ's objects on one server, of whatever kind it is. */
export interface Bull {
  readonly queue: Pick<Queue, 'getJob' | 'clean'>
  /** Never runs a job by itself: jobs are claimed by hand, one by one. */
  readonly worker: Pick<Worker, 'getNextJob'>
}

/** Woken by what is heard from the server. */
export interface TaskNotifiers {
  readonly tasksCame: Notifier
  readonly tasksChanged: Notifier
}

/**
 * What BullMQ leaves to us: what it does not do at all or not in one step, and what depends on the kind of server. All
 * calls fail with QueueUnavailable while the server is away.
 */
export interface BullmqBackend extends Pick<TaskQueue, 'depth' | 'ping' | 'durability' | 'close'> {
  /** Runs work with BullMQ's own objects; they are new after a connection was lost. */
  use<T>(work: (bull: Bull) => Promise<T>): Promise<T>

  /**
   * Adds the task, unless as many wait as may or its key was used before.
   *
   * @throws QueueFull, IdempotencyMismatch
   */
  enqueue(wanted: Task, idempotency: Idempotency | undefined): Promise<Enqueued>

  /** @param id a UUID of version 7 */
  find(id: string, withoutPayload: boolean): Promise<Task | undefined>

  /** @param request with a cursor that is a task's id */
  list(request: TaskPageRequest): Promise<TaskPage>

  /** Renews a claim; false when it is lost. */
  renew(id: string, lease: string): Promise<boolean>

  /** Takes back the attempt of a run, while its lease holds; false when it is lost. */
  refundAttempt(id: string, lease: string): Promise<boolean>

  /** Makes a claimed task pending again, its attempt not spent, while its lease holds; false when it is lost. */
  release(job: Job, lease: string): Promise<boolean>

  /** Gives tasks whose lease has run out to be claimed again, and says how many. One process at a time looks. */
  reclaim(): Promise<number>

  /** Notes when a task changed. */
  touch(id: string, now: number): Promise<void>

  /** Says to all processes that a task can be claimed, and that one has changed, where BullMQ does not by itself. */
  tell(what: 'came' | 'changed'): Promise<void>

  /** Told which tasks have been deleted. */
  forget(ids: readonly string[]): Promise<void>
}
