import { type Job, UnrecoverableError } from 'bullmq'
import type { Idempotency } from '../../database/idempotency.ts'
import { InvalidCursor } from '../../database/invalid-cursor.ts'
import { type Claim, LeaseConsumer, type Leases, type LeaseWrite } from '../lease-consumer.ts'
import { Notifier } from '../notifier.ts'
import { cleanupBatchSize, cleanupIntervalMs, type QueueOptions } from '../queue-options.ts'
import { createTask, defaultPriority, type NewTask, type Task } from '../task.ts'
import {
  type ConsumeOptions,
  type Consumer,
  type Enqueued,
  type QueueStats,
  QueueUnavailable,
  type TaskHandler,
  TaskNotFailed,
  type TaskPage,
  type TaskPageRequest,
  type TaskQueue,
} from '../task-queue.ts'
import { watchTask } from '../watch-task.ts'
import {
  type BullmqBackend,
  type BullmqClient,
  type JobData,
  stalledIntervalMs,
  type TaskEvent,
  type TaskNotifiers,
} from './backend.ts'

/** The longest time between two polls, in ms, with or without notifications. */
const pollIntervalMs = 500
/** BullMQ's codes for a missing lock, a lock of another worker, and a missing job. */
const lostLeaseCodes: readonly unknown[] = [-1, -2, -3, -6]
const uuidV7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/

/**
 * Tasks in BullMQ, on Redis. A lease is BullMQ's lock, and a worker that has lost it writes nothing.
 * Jobs are claimed one by one (BullMQ's "manually processing jobs"), so that leases, time limits and releases are the
 * same as on the embedded queue.
 */
export class BullmqTaskQueue implements TaskQueue, Leases {
  readonly #backend: BullmqBackend
  readonly #options: QueueOptions
  readonly added = new Notifier()
  readonly cancelled = new Notifier()
  readonly pollIntervalMs = pollIntervalMs
  readonly #notifiers: TaskNotifiers = { added: this.added, updated: new Notifier() }
  readonly #consumers = new Set<LeaseConsumer>()
  readonly #claims = new Map<string, { job: Job; client: BullmqClient }>()
  readonly #timers: ReturnType<typeof setInterval>[]
  #closed: Promise<void> | undefined

  constructor(connect: (notifiers: TaskNotifiers) => BullmqBackend, options: QueueOptions) {
    this.#options = options
    this.#backend = connect(this.#notifiers)
    this.#timers = [
      repeat(cleanupIntervalMs(options), () => this.#deleteEnded()),
      repeat(stalledIntervalMs(options.leaseMs), () => this.#requeueExpired()),
    ]
  }

  async enqueue(newTask: NewTask, idempotency?: Idempotency): Promise<Enqueued> {
    this.#assertOpen()
    const createdAt = this.#options.now()
    const task = createTask(Bun.randomUUIDv7(), newTask, { createdAt })
    const enqueued = await this.#backend.enqueue(task, idempotency)
    if (!enqueued.replayed) this.#publish('added')
    return enqueued
  }

  find(id: string): Promise<Task | undefined> {
    return this.#find(id, false)
  }

  async list(request: TaskPageRequest): Promise<TaskPage> {
    this.#assertOpen()
    if (request.after !== undefined && !uuidV7.test(request.after)) throw new InvalidCursor()
    return await this.#backend.list(request)
  }

  async retry(id: string): Promise<Task | undefined> {
    const task = await this.find(id)
    if (task === undefined) return undefined
    if (task.status !== 'failed') throw new TaskNotFailed(task.status)
    const now = this.#options.now()
    const retried = await this.#backend.use(async ({ queue }) => {
      const job = await queue.getJob(id)
      if (job === undefined) return false
      return await holdsLease(() =>
        job.retry('failed', { resetAttemptsMade: true, resetAttemptsStarted: true }),
      )
    })
    if (!retried) throw new TaskNotFailed('pending')
    await this.#backend.setUpdatedAt(id, now)
    this.#publish('added', 'updated')
    return { ...task, status: 'pending', attempts: 0, updatedAt: now, error: undefined }
  }

  retryFailed(): Promise<number> {
    return Promise.reject(new Error('BullMQ cannot retry all failed tasks yet'))
  }

  cancel(): Promise<Task | undefined> {
    return Promise.reject(new Error('BullMQ cannot cancel tasks yet'))
  }

  stats(): Promise<QueueStats> {
    return Promise.reject(new Error('BullMQ has no statistics yet'))
  }

  setPaused(): Promise<void> {
    return Promise.reject(new Error('BullMQ cannot pause claiming yet'))
  }

  watch(id: string, signal: AbortSignal): AsyncIterable<Task> {
    const readState = async (): Promise<string | undefined> => {
      const task = await this.#find(id, true)
      return task && `${task.status} ${task.attempts} ${task.updatedAt}`
    }
    const find = () => this.find(id)
    return watchTask({ readState, find, updated: this.#notifiers.updated, pollIntervalMs }, signal)
  }

  async depth(): Promise<number> {
    this.#assertOpen()
    return await this.#backend.depth()
  }

  consume(handler: TaskHandler, options: ConsumeOptions): Consumer {
    const consumer = new LeaseConsumer(this, handler, { ...this.#options, ...options })
    this.#consumers.add(consumer)
    return consumer
  }

  async ping(): Promise<void> {
    this.#assertOpen()
    await this.#backend.ping()
  }

  async durability() {
    this.#assertOpen()
    return await this.#backend.durability()
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer)
    await Promise.all([...this.#consumers].map((consumer) => consumer.release()))
    await this.#backend.close()
  }

  // Leases: the side of the consumers.

  async claim(lease: string): Promise<Claim | undefined> {
    for (;;) {
      const claim = await this.#backend.use(async (client) => {
        const job = (await client.worker.getNextJob(lease, { block: false })) as Job | undefined
        return job && { job, client }
      })
      if (claim === undefined) return undefined
      const { job } = claim
      this.#claims.set(lease, claim)
      if (job.attemptsStarted <= this.#options.maxAttempts) {
        this.#publish('updated')
        return { task: fromClaimedJob(job), waitMs: 0 }
      }
      // A worker died in every attempt of this task, including the last one: the task kills its workers.
      await this.#backend.refundAttempt(job.id as string, lease)
      await this.#endRun(lease, () =>
        job.moveToFailed(new UnrecoverableError('the worker died in every attempt'), lease, false),
      )
    }
  }

  async renew(lease: string): Promise<LeaseWrite> {
    const claim = this.#claims.get(lease)
    const renewed = claim !== undefined && (await this.#backend.renew(claim.job.id as string, lease))
    return renewed ? 'written' : 'lost'
  }

  async complete(lease: string, result: string): Promise<LeaseWrite> {
    return await this.#endRun(lease, (job) => job.moveToCompleted(result, lease, false))
  }

  async fail(lease: string, error: string, retryInMs: number | undefined): Promise<LeaseWrite> {
    const failure = retryInMs === undefined ? new UnrecoverableError(error) : new Error(error)
    const delay = retryInMs ?? 0
    const write = await this.#endRun(lease, (job) => {
      // BullMQ decides by these options. Which attempt is the last is our decision: BullMQ counts only failed runs.
      job.opts = { ...job.opts, attempts: Number.MAX_SAFE_INTEGER, backoff: { type: 'fixed', delay } }
      return job.moveToFailed(failure, lease, false)
    })
    // No event is published at the end of a delay. Other processes find the task by polling.
    if (write === 'written' && retryInMs !== undefined)
      setTimeout(() => this.added.notify(), retryInMs).unref()
    return write
  }

  async release(lease: string): Promise<LeaseWrite> {
    const write = await this.#endRun(lease, async (job) => {
      if (!(await this.#backend.release(job, lease))) throw new LeaseLost()
    })
    this.#publish('added')
    return write
  }

  async findCancelled(): Promise<readonly string[]> {
    return []
  }

  async heartbeat(): Promise<void> {}

  async leave(): Promise<void> {}

  /** Writes the end of a run. */
  async #endRun(lease: string, write: (job: Job) => Promise<unknown>): Promise<LeaseWrite> {
    const claim = this.#claims.get(lease)
    if (claim === undefined) return 'lost'
    const written = await this.#backend.use(async (client) => {
      // The job of the claim may belong to a connection that has ended.
      const job =
        client === claim.client
          ? claim.job
          : ((await client.queue.getJob(claim.job.id as string)) as Job | undefined)
      return job !== undefined && (await holdsLease(() => write(job)))
    })
    this.#claims.delete(lease)
    this.#publish('updated')
    return written ? 'written' : 'lost'
  }

  async #find(id: string, withoutPayload: boolean): Promise<Task | undefined> {
    this.#assertOpen()
    if (uuidV7.test(id)) return await this.#backend.find(id, withoutPayload)
    await this.#backend.ping()
    return undefined
  }

  /** Checked by calls of the port only, so that a consumer can still finish while the queue closes. */
  #assertOpen(): void {
    if (this.#closed) throw new QueueUnavailable(1, { cause: 'the queue is closed' })
  }

  /** Publishes events to all processes. A process that misses one polls soon. */
  #publish(...events: TaskEvent[]): void {
    for (const event of events) void this.#backend.publish(event).catch(() => {})
  }

  async #requeueExpired(): Promise<void> {
    if (this.#consumers.size === 0) return
    if ((await this.#backend.requeueExpired()) > 0) this.#notifiers.added.notify()
  }

  async #deleteEnded(): Promise<void> {
    const { retentionMs } = this.#options
    for (const status of ['completed', 'failed'] as const) {
      const ids = await this.#backend.use(({ queue }) => queue.clean(retentionMs, cleanupBatchSize, status))
      await this.#backend.removeFromIndex(ids)
    }
  }
}

/** Runs work at an interval. A failure is ignored, because the next run repeats the work. */
function repeat(intervalMs: number, work: () => Promise<unknown>): ReturnType<typeof setInterval> {
  const timer = setInterval(() => void work().catch(() => {}), intervalMs)
  timer.unref()
  return timer
}

class LeaseLost extends Error {
  override readonly name = 'LeaseLost'
}

/** Runs a write; false when BullMQ refuses it because the lease is lost. */
async function holdsLease(write: () => Promise<unknown>): Promise<boolean> {
  try {
    await write()
    return true
  } catch (error) {
    if (error instanceof LeaseLost || lostLeaseCodes.includes((error as { code?: unknown }).code))
      return false
    throw error
  }
}

function fromClaimedJob(job: Job): Task {
  const { payload, traceparent } = job.data as JobData
  return {
    id: job.id as string,
    kind: 'analysis',
    payload,
    traceparent,
    status: 'processing',
    priority: defaultPriority,
    runAt: job.timestamp,
    attempts: job.attemptsStarted,
    createdAt: job.timestamp,
    updatedAt: job.processedOn ?? job.timestamp,
    result: undefined,
    error: job.failedReason,
  }
}
