import type { Idempotency } from '../database/idempotency.ts'
import { InvalidCursor } from '../database/invalid-cursor.ts'
import { mapDatabaseErrors } from '../database/map-database-errors.ts'
import type { SqliteFile } from '../database/sqlite/file.ts'
import { SqliteIdempotencyKeys } from '../database/sqlite/idempotency-keys.ts'
import { LeaseConsumer, type Leases } from './lease-consumer.ts'
import { Notifier } from './notifier.ts'
import { cleanupBatchSize, cleanupIntervalMs, type QueueOptions } from './queue-options.ts'
import { fromRow, prepareTaskStatements } from './sqlite-statements.ts'
import { computeBackoffMs, createTask, type Task } from './task.ts'
import {
  type ConsumeOptions,
  type Consumer,
  type Enqueued,
  maxPageCharacters,
  QueueFull,
  QueueUnavailable,
  type TaskHandler,
  TaskNotFailed,
  type TaskPage,
  type TaskPageRequest,
  type TaskQueue,
} from './task-queue.ts'
import { watchTask } from './watch-task.ts'

/**
 * How often consumers poll for tasks of other processes, and watchers for updates by other processes, in ms. Those of
 * this process notify at once. A poll is cheap, but there may be many watchers.
 */
const consumerPollIntervalMs = 25
const watcherPollIntervalMs = 100

/**
 * The embedded queue: tasks in the SQLite file of the documents. Several processes may share the file.
 *
 * A claim is a lease: `due_at` of a processing task is when the lease expires, and `lease` is who holds it. Every write
 * of a run names its lease, so a worker that has lost it changes nothing.
 */
export class SqliteTaskQueue implements TaskQueue, Leases {
  readonly #file: SqliteFile
  readonly #options: QueueOptions
  readonly #statements
  readonly #idempotencyKeys: SqliteIdempotencyKeys
  readonly #added = new Notifier()
  readonly #updated = new Notifier()
  readonly #consumers = new Set<LeaseConsumer>()
  readonly #cleanup: ReturnType<typeof setInterval>
  #closed: Promise<void> | undefined

  constructor(file: SqliteFile, options: QueueOptions) {
    this.#file = file
    this.#options = options
    this.#statements = prepareTaskStatements(file.db)
    this.#idempotencyKeys = new SqliteIdempotencyKeys(file.db)
    this.#cleanup = setInterval(() => void this.#deleteEnded().catch(() => {}), cleanupIntervalMs(options))
    this.#cleanup.unref()
  }

  async enqueue(payload: string, idempotency?: Idempotency, traceparent?: string): Promise<Enqueued> {
    const enqueued = await this.#call(() =>
      this.#file.write(() => {
        const now = this.#options.now()
        const first = idempotency && this.#idempotencyKeys.find(idempotency, now)
        if (first !== undefined) return { task: parseFirstAnswer(first, payload), replayed: true }
        if (this.#countPending() >= this.#options.capacity) throw new QueueFull(this.#options.capacity)
        const id = Bun.randomUUIDv7()
        const { lastInsertRowid } = this.#statements.insert.run(id, now)
        this.#statements.insertPayload.run(lastInsertRowid, payload, traceparent ?? null)
        if (idempotency) this.#idempotencyKeys.save(idempotency, JSON.stringify({ id, now }), now)
        return { task: createTask(id, payload, now), replayed: false }
      }),
    )
    this.#added.notify()
    return enqueued
  }

  find(id: string): Promise<Task | undefined> {
    return this.#call(async () => {
      const row = await this.#file.read(() => this.#statements.find.get(id))
      return row === null ? undefined : fromRow(row)
    })
  }

  list(request: TaskPageRequest): Promise<TaskPage> {
    return this.#call(async () => {
      if (request.after !== undefined && !/^[1-9][0-9]{0,15}$/.test(request.after)) throw new InvalidCursor()
      return await this.#file.read(() => this.#readPage(request))
    })
  }

  async retry(id: string): Promise<Task | undefined> {
    const task = await this.#call(() =>
      this.#file.write(() => {
        const row = this.#statements.find.get(id)
        if (row === null) return undefined
        if (row.status !== 'failed') throw new TaskNotFailed(row.status)
        const now = this.#options.now()
        this.#statements.retry.run(id, now)
        return fromRow({ ...row, status: 'pending', attempts: 0, updated_at: now })
      }),
    )
    this.#added.notify()
    this.#updated.notify()
    return task
  }

  watch(id: string, signal: AbortSignal): AsyncIterable<Task> {
    const readState = () => this.#call(() => this.#file.read(() => this.#statements.readState.get(id)?.state))
    const find = () => this.find(id)
    const source = { readState, find, updated: this.#updated, pollIntervalMs: watcherPollIntervalMs }
    return watchTask(source, signal)
  }

  depth(): Promise<number> {
    return this.#call(() => this.#file.read(() => this.#countPending()))
  }

  consume(handler: TaskHandler, options: ConsumeOptions): Consumer {
    const consumer = new LeaseConsumer(this, handler, { ...options, leaseMs: this.#options.leaseMs })
    this.#consumers.add(consumer)
    return consumer
  }

  ping(): Promise<void> {
    return this.#call(async () => {
      await this.#file.read(() => this.#statements.ping.get())
    })
  }

  /** Every commit is on the disk before it is confirmed (synchronous=FULL). */
  async durability(): Promise<{ readonly durable: true }> {
    return { durable: true }
  }

  /** Leaves the file open; its owner closes it. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    clearInterval(this.#cleanup)
    await Promise.all([...this.#consumers].map((consumer) => consumer.release()))
  }

  // Leases: the side of the consumers.

  async claim(lease: string): Promise<Task | undefined> {
    // Most polls find nothing, and a poll that only reads takes no lock.
    const due = await mapDatabaseErrors(QueueUnavailable, () =>
      this.#file.read(() => this.#statements.findDue.get(this.#options.now())),
    )
    if (due === null) return undefined
    return this.#update(() => {
      const now = this.#options.now()
      // A worker died in every attempt of these tasks, including the last one: the task kills its workers.
      this.#statements.failExhausted.run(now, this.#options.maxAttempts)
      this.#statements.claim.run(lease, now, now + this.#options.leaseMs)
      const row = this.#statements.findClaimed.get(lease)
      return row === null ? undefined : fromRow(row)
    })
  }

  renew(lease: string): Promise<boolean> {
    return mapDatabaseErrors(QueueUnavailable, () =>
      this.#file.write(
        () => this.#statements.renew.run(lease, this.#options.now() + this.#options.leaseMs).changes > 0,
      ),
    )
  }

  complete(lease: string, result: string): Promise<boolean> {
    return this.#update(() => this.#statements.complete.run(lease, result, this.#options.now()).changes > 0)
  }

  fail(lease: string, error: string, retryable: boolean): Promise<'failed' | 'retried' | 'lost'> {
    return this.#update(() => {
      const run = this.#statements.findAttempts.get(lease)
      if (run === null) return 'lost'
      const { maxAttempts, initialBackoffMs, random } = this.#options
      const now = this.#options.now()
      if (!retryable || run.attempts >= maxAttempts) {
        this.#statements.failPermanently.run(lease, error, now)
        return 'failed'
      }
      const dueAt = now + computeBackoffMs(run.attempts, initialBackoffMs, random())
      this.#statements.retryLater.run(lease, error, now, dueAt)
      return 'retried'
    })
  }

  async release(lease: string): Promise<boolean> {
    const released = await this.#update(
      () => this.#statements.release.run(lease, this.#options.now()).changes > 0,
    )
    this.#added.notify()
    return released
  }

  version(): number {
    return this.#added.version
  }

  waitForTasks(signal: AbortSignal, since: number): Promise<void> {
    return this.#added.wait(consumerPollIntervalMs, signal, since)
  }

  /** Runs a call of the port. Calls of a consumer do not pass here, so it can still finish while the queue closes. */
  #call<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(new QueueUnavailable(1, { cause: 'the queue is closed' }))
    return mapDatabaseErrors(QueueUnavailable, work)
  }

  /** Runs a write of a consumer, then notifies the watchers. */
  async #update<T>(work: () => T): Promise<T> {
    const result = await mapDatabaseErrors(QueueUnavailable, () => this.#file.write(work))
    this.#updated.notify()
    return result
  }

  /** Reads row by row, so that a page of huge payloads ends before all of them are in memory. */
  #readPage({ limit, status, after }: TaskPageRequest): TaskPage {
    const before = after === undefined ? Number.MAX_SAFE_INTEGER : Number(after)
    const { list, listByStatus } = this.#statements
    const rows = status === undefined ? list.iterate(before) : listByStatus.iterate(before, status)
    const tasks: Task[] = []
    let characters = 0
    let last = before
    for (const row of rows) {
      const task = fromRow(row)
      characters += task.payload.length
      if (tasks.length === limit || (tasks.length > 0 && characters > maxPageCharacters))
        return { tasks, next: String(last) }
      tasks.push(task)
      last = row.seq
    }
    return { tasks, next: undefined }
  }

  #countPending(): number {
    return this.#statements.countPending.get()?.n ?? 0
  }

  async #deleteEnded(): Promise<void> {
    const before = this.#options.now() - this.#options.retentionMs
    await this.#file.write(() => this.#statements.deleteEnded.run(before, cleanupBatchSize))
  }
}

/** The task as it was accepted under an idempotency key. The same fingerprint means the same payload. */
function parseFirstAnswer(saved: string, payload: string): Task {
  const { id, now } = JSON.parse(saved) as { id: string; now: number }
  return createTask(id, payload, now)
}
