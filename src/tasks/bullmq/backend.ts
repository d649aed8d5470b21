import type { Job, Queue, Worker } from 'bullmq'
import type { Idempotency } from '../../database/idempotency.ts'
import type { Notifier } from '../notifier.ts'
import type { Task } from '../task.ts'
import type { Enqueued, TaskPage, TaskPageRequest, TaskQueue } from '../task-queue.ts'

/** The queue's name on the server. */
export const queueName = 'tally'

/** BullMQ's own limit for dead workers. It never applies, because our count of the attempts ends a task first. */
export const maxStalledCount = 2 ** 31 - 1

/** How often a process looks for tasks whose lease has expired, in ms. */
export function stalledIntervalMs(leaseMs: number): number {
  return Math.max(100, Math.round(leaseMs / 3))
}

/** What the data of a job holds of its task. BullMQ stores the rest. */
export interface JobData {
  readonly payload: string
  readonly traceparent?: string
}

/** Creates the data of a task's job. */
export function createJobData({ payload, traceparent }: Task): JobData {
  return traceparent === undefined ? { payload } : { payload, traceparent }
}

/** BullMQ's objects on one server. */
export interface BullmqClient {
  readonly queue: Pick<Queue, 'getJob' | 'clean'>
  /** Never runs a job by itself: jobs are claimed one by one. */
  readonly worker: Pick<Worker, 'getNextJob'>
}

/** Notified of the events that the server publishes. */
export interface TaskNotifiers {
  /** A task can be claimed. */
  readonly added: Notifier
  /** A task has changed. */
  readonly updated: Notifier
}

export type TaskEvent = keyof TaskNotifiers

/**
 * What BullMQ does not do at all, not in one step, or differently on each server. All calls fail with QueueUnavailable
 * while the server is unavailable.
 */
export interface BullmqBackend extends Pick<TaskQueue, 'depth' | 'ping' | 'durability' | 'close'> {
  /** Runs work with BullMQ's own objects. After a lost connection they are new. */
  use<T>(work: (client: BullmqClient) => Promise<T>): Promise<T>

  /**
   * Adds the task, unless the queue is at capacity or the key was used before.
   *
   * @throws QueueFull, IdempotencyMismatch
   */
  enqueue(task: Task, idempotency: Idempotency | undefined): Promise<Enqueued>

  /** @param id a UUID of version 7 */
  find(id: string, withoutPayload: boolean): Promise<Task | undefined>

  /** @param request its cursor is the id of a task */
  list(request: TaskPageRequest): Promise<TaskPage>

  /** Renews a claim; false when the lease is lost. */
  renew(id: string, lease: string): Promise<boolean>

  /** Refunds the attempt of a run while its lease holds; false when the lease is lost. */
  refundAttempt(id: string, lease: string): Promise<boolean>

  /** Makes a claimed task pending again and refunds its attempt while its lease holds; false when the lease is lost. */
  release(job: Job, lease: string): Promise<boolean>

  /** Makes tasks with an expired lease pending again, in one process at a time, and returns their number. */
  requeueExpired(): Promise<number>

  /** Records when a task was updated. */
  setUpdatedAt(id: string, now: number): Promise<void>

  /** Publishes an event to all processes, where BullMQ does not. */
  publish(event: TaskEvent): Promise<void>

  /** Removes deleted tasks from the index. */
  removeFromIndex(ids: readonly string[]): Promise<void>
}
