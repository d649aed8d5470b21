import { type Job, UnrecoverableError } from 'bullmq'
import type { Idempotency } from '../../database/idempotency.ts'
import { InvalidCursor } from '../../database/invalid-cursor.ts'
import { LeaseConsumer, type Leases } from '../lease-consumer.ts'
import { Notifier } from '../notifier.ts'
import { cleanupBatchSize, cleanupIntervalMs, type QueueOptions } from '../queue-options.ts'
import { backoffMs, newTask, type Task } from '../task.ts'
import {
  type ConsumeOptions,
  type Consumer,
  type Enqueued,
  QueueUnavailable,
  type TaskHandler,
  TaskNotFailed,
  type TaskPage,
  type TaskPageRequest,
  type TaskQueue,
} from '../task-queue.ts'
import { watchTask } from '../watch-task.ts'
import {
  type Bull,
  type BullmqBackend,
  type JobData,
  stalledIntervalMs,
  type TaskNotifiers,
} from './backend.ts'

/** A look at the server at the latest after so long, in ms, whether or not something was heard. */
const pollMs = 500
/** BullMQ's codes for a lock that is missing, of somebody else, and for a job that is gone. */
const lostCodes: readonly unknown[] = [-1, -2, -3, -6]
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/

/**
 * Tasks as BullMQ keeps them, on Redis or in PostgreSQL: a claim is BullMQ's lock, and nothing is written for whoever
 * has lost it. Claims are made by hand (BullMQ's "manually processing jobs"), so that leases, time limits and handing
 * back are the same as on the embedded queue.
 */
export class BullmqTaskQueue implements TaskQueue, Leases {
  readonly #server: BullmqBackend
  readonly #options: QueueOptions
  readonly #heard: TaskNotifiers = { tasksCame: new Notifier(), tasksChanged: new Notifier() }
  readonly #consumers = new Set<LeaseConsumer>()
  readonly #claimed = new Map<string, { job: Job; bull: Bull }>()
  readonly #cleaner: ReturnType<typeof setInterval>
  readonly #stalledChecker: ReturnType<typeof setInterval>
  #closed: Promise<void> | undefined

  constructor(connect: (heard: TaskNotifiers) => BullmqBackend, options: QueueOptions) {
    this.#options = options
    this.#server = connect(this.#heard)
    const every = (ms: number, work: () => Promise<unknown>) => {
      const timer = setInterval(() => void work().catch(() => {}), ms)
      timer.unref()
      return timer
    }
    this.#cleaner = every(cleanupIntervalMs(options), () => this.#cleanUp())
    this.#stalledChecker = every(stalledIntervalMs(options.leaseMs), () => this.#reclaim())
  }

  async enqueue(payload: string, idempotency?: Idempotency, traceparent?: string): Promise<Enqueued> {
    this.#assertOpen()
    const wanted = newTask(Bun.randomUUIDv7(), payload, this.#options.now(), traceparent)
    const enqueued = await this.#server.enqueue(wanted, idempotency)
    if (!enqueued.replayed) this.#tell('came')
    return enqueued
  }

  find(id: string): Promise<Task | undefined> {
    return this.#find(id, false)
  }

  async list(request: TaskPageRequest): Promise<TaskPage> {
    this.#assertOpen()
    if (request.after !== undefined && !uuid.test(request.after)) throw new InvalidCursor()
    return await this.#server.list(request)
  }

  async retry(id: string): Promise<Task | undefined> {
    const task = await this.find(id)
    if (task === undefined) return undefined
    if (task.status !== 'failed') throw new TaskNotFailed(task.status)
    const now = this.#options.now()
    const retried = await this.#server.use(async ({ queue }) => {
      const job = await queue.getJob(id)
      if (job === undefined) return false
      return await unlessLost(() =>
        job.retry('failed', { resetAttemptsMade: true, resetAttemptsStarted: true }),
      )
    })
    if (!retried) throw new TaskNotFailed('pending')
    await this.#server.touch(id, now)
    this.#tell('came', 'changed')
    return { ...task, status: 'pending', attempts: 0, updatedAt: now, error: undefined }
  }

  watch(id: string, signal: AbortSignal): AsyncIterable<Task> {
    const state = async (): Promise<string | undefined> => {
      const task = await this.#find(id, true)
      return task && `${task.status} ${task.attempts} ${task.updatedAt}`
    }
    const find = () => this.find(id)
    return watchTask({ state, find, changed: this.#heard.tasksChanged, lookEveryMs: pollMs }, signal)
  }

  async depth(): Promise<number> {
    this.#assertOpen()
    return await this.#server.depth()
  }

  consume(handler: TaskHandler, options: ConsumeOptions): Consumer {
    const consumer = new LeaseConsumer(this, handler, { ...options, leaseMs: this.#options.leaseMs })
    this.#consumers.add(consumer)
    return consumer
  }

  async ping(): Promise<void> {
    this.#assertOpen()
    await this.#server.ping()
  }

  async durability() {
    this.#assertOpen()
    return await this.#server.durability()
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    clearInterval(this.#cleaner)
    clearInterval(this.#stalledChecker)
    await Promise.all([...this.#consumers].map((consumer) => consumer.release()))
    await this.#server.close()
  }

  // Leases: what a consumer asks for.

  async claim(lease: string): Promise<Task | undefined> {
    for (;;) {
      const claimed = await this.#server.use(async (bull) => {
        const job = (await bull.worker.getNextJob(lease, { block: false })) as Job | undefined
        return job && { job, bull }
      })
      if (claimed === undefined) return undefined
      const { job } = claimed
      this.#claimed.set(lease, claimed)
      if (job.attemptsStarted <= this.#options.maxAttempts) {
        this.#tell('changed')
        return claimedTask(job)
      }
      // A worker died in each of this task's runs, the last one included: it is the task that kills.
      await this.#server.refundAttempt(job.id as string, lease)
      await this.#write(lease, () =>
        job.moveToFailed(new UnrecoverableError('its worker died in every run'), lease, false),
      )
    }
  }

  async renew(lease: string): Promise<boolean> {
    const claimed = this.#claimed.get(lease)
    return claimed !== undefined && (await this.#server.renew(claimed.job.id as string, lease))
  }

  async complete(lease: string, result: string): Promise<boolean> {
    return await this.#write(lease, (job) => job.moveToCompleted(result, lease, false))
  }

  async fail(lease: string, error: string, isFinal: boolean): Promise<'failed' | 'retried' | 'lost'> {
    const claimed = this.#claimed.get(lease)
    if (claimed === undefined) return 'lost'
    const { attemptsStarted } = claimed.job
    const givenUp = isFinal || attemptsStarted >= this.#options.maxAttempts
    const failure = givenUp ? new UnrecoverableError(storable(error)) : new Error(storable(error))
    const delay = backoffMs(attemptsStarted, this.#options.initialBackoffMs, this.#options.random())
    const written = await this.#write(lease, (job) => {
      // BullMQ decides by these: the last attempt is ours to know, for it counts only runs that failed.
      job.opts = { ...job.opts, attempts: Number.MAX_SAFE_INTEGER, backoff: { type: 'fixed', delay } }
      return job.moveToFailed(failure, lease, false)
    })
    if (!written) return 'lost'
    if (givenUp) return 'failed'
    // Nobody says when a delay is over; other processes find out by looking.
    setTimeout(() => this.#heard.tasksCame.wake(), delay).unref()
    return 'retried'
  }

  async release(lease: string): Promise<boolean> {
    const handedBack = await this.#write(lease, async (job) => {
      if (!(await this.#server.release(job, lease))) throw new LockLost()
    })
    this.#tell('came')
    return handedBack
  }

  arrivals(): number {
    return this.#heard.tasksCame.count
  }

  waitForTasks(signal: AbortSignal, since: number): Promise<void> {
    return this.#heard.tasksCame.wait(pollMs, signal, since)
  }

  /** Ends a run; false when the lease is lost. */
  async #write(lease: string, write: (job: Job) => Promise<unknown>): Promise<boolean> {
    const claimed = this.#claimed.get(lease)
    if (claimed === undefined) return false
    const written = await this.#server.use(async (bull) => {
      // The job of the claim may hang on a connection that is gone.
      const job =
        bull === claimed.bull
          ? claimed.job
          : ((await bull.queue.getJob(claimed.job.id as string)) as Job | undefined)
      return job !== undefined && (await unlessLost(() => write(job)))
    })
    this.#claimed.delete(lease)
    this.#tell('changed')
    return written
  }

  async #find(id: string, withoutPayload: boolean): Promise<Task | undefined> {
    this.#assertOpen()
    if (uuid.test(id)) return await this.#server.find(id, withoutPayload)
    await this.#server.ping()
    return undefined
  }

  /** A call from outside; a consumer that finishes while the queue closes still comes through. */
  #assertOpen(): void {
    if (this.#closed) throw new QueueUnavailable(1, { cause: 'the queue is closed' })
  }

  /** Says something to all processes. Whoever does not hear it looks again soon anyway. */
  #tell(...what: ('came' | 'changed')[]): void {
    for (const each of what) void this.#server.tell(each).catch(() => {})
  }

  async #reclaim(): Promise<void> {
    if (this.#consumers.size === 0) return
    if ((await this.#server.reclaim()) > 0) this.#heard.tasksCame.wake()
  }

  async #cleanUp(): Promise<void> {
    const { retentionMs } = this.#options
    for (const type of ['completed', 'failed'] as const)
      await this.#server.forget(
        await this.#server.use(({ queue }) => queue.clean(retentionMs, cleanupBatchSize, type)),
      )
  }
}

/** The lease is not ours any more. */
class LockLost extends Error {}

/** Whether a write of BullMQ's was carried out: it refuses whoever has lost the lock. */
async function unlessLost(write: () => Promise<unknown>): Promise<boolean> {
  try {
    await write()
    return true
  } catch (error) {
    if (error instanceof LockLost || lostCodes.includes((error as { code?: unknown }).code)) return false
    throw error
  }
}

/** An error can hold any text; PostgreSQL's has no NUL and no lone surrogates. */
function storable(error: string): string {
  return error.toWellFormed().replaceAll('\0', '\ufffd')
}

function claimedTask(job: Job): Task {
  const { payload, traceparent } = job.data as JobData
  return {
    id: job.id as string,
    payload,
    traceparent,
    status: 'processing',
    attempts: job.attemptsStarted,
    createdAt: job.timestamp,
    updatedAt: job.processedOn ?? job.timestamp,
    result: undefined,
    error: job.failedReason,
  }
}
