import type { Idempotency } from '../database/idempotency.ts'
import { InvalidCursor } from '../database/invalid-cursor.ts'
import { mapDatabaseErrors } from '../database/map-database-errors.ts'
import { CommitWatcher } from '../database/sqlite/commit-watcher.ts'
import type { SqliteFile } from '../database/sqlite/file.ts'
import { SqliteIdempotencyKeys } from '../database/sqlite/idempotency-keys.ts'
import { type BackgroundTasks, BackgroundWork } from './background-work.ts'
import type { Claim, LeaseWrite, WorkerAnnouncement } from './lease-consumer.ts'
import { Notifier } from './notifier.ts'
import {
  cleanupBatchSize,
  forgottenWorkerMs,
  type QueueOptions,
  retryBatchSize,
  silentWorkerMs,
} from './queue-options.ts'
import { toQueueStats } from './queue-stats.ts'
import { type LeaseRow, prepareTaskStatements } from './sqlite-statements.ts'
import { createTask, defaultPriority, type NewTask, type Task } from './task.ts'
import {
  type ConsumeOptions,
  type Consumer,
  type Enqueued,
  maxPageCharacters,
  QueueFull,
  type QueueStats,
  QueueUnavailable,
  TaskEnded,
  type TaskHandler,
  TaskNotFailed,
  type TaskPage,
  type TaskPageRequest,
  type TaskQueue,
} from './task-queue.ts'
import { clockToleranceMs, fromRow } from './task-sql.ts'
import { TaskUpdates } from './task-updates.ts'
import { watchTask } from './watch-task.ts'

/**
 * How often consumers and watchers poll without a notification, in ms. They are notified of every commit, of this process
 * or of another, so this only covers a commit whose notification was missed.
 */
const pollIntervalMs = 500

/** The embedded queue: tasks in the SQLite file of the documents. Several processes may share the file. */
export class SqliteTaskQueue implements TaskQueue, BackgroundTasks<LeaseRow> {
  readonly #file: SqliteFile
  readonly #options: QueueOptions
  readonly #statements
  readonly #idempotencyKeys: SqliteIdempotencyKeys
  readonly added = new Notifier()
  readonly cancelled = new Notifier()
  readonly pollIntervalMs = pollIntervalMs
  readonly #updates = new TaskUpdates()
  #unwatch: (() => void) | undefined
  readonly #otherProcesses: CommitWatcher
  readonly #background: BackgroundWork
  #closed: Promise<void> | undefined

  constructor(file: SqliteFile, options: QueueOptions) {
    this.#file = file
    this.#options = options
    this.#statements = prepareTaskStatements(file.db)
    this.#idempotencyKeys = new SqliteIdempotencyKeys(file.db)
    this.#otherProcesses = new CommitWatcher(file, () => {
      this.added.notify()
      this.cancelled.notify()
      this.#updates.notifyAll()
      this.#background.reschedule()
    })
    this.#background = new BackgroundWork(this, options)
  }

  async enqueue(task: NewTask, idempotency?: Idempotency): Promise<Enqueued> {
    const enqueued = await this.#call(() => this.#file.write(() => this.#insert(task, idempotency)))
    this.added.notify()
    this.#background.reschedule()
    return enqueued
  }

  find(id: string): Promise<Task | undefined> {
    return this.#call(async () => {
      const row = await this.#file.read(() => this.#statements.find.get({ id }))
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
        const row = this.#statements.find.get({ id })
        if (row === null) return undefined
        if (row.status !== 'failed') throw new TaskNotFailed(row.status)
        const now = this.#options.now()
        this.#statements.retry.run({ id, now })
        return fromRow({ ...row, status: 'pending', attempts: 0, updated_at: now })
      }),
    )
    this.added.notify()
    this.#updates.notify([id])
    return task
  }

  async retryFailed(limit = Number.MAX_SAFE_INTEGER): Promise<number> {
    let retried = 0
    for (;;) {
      const batch = Math.min(retryBatchSize, limit - retried)
      const { changes } = await this.#call(() =>
        this.#file.write(() => this.#statements.retryFailed.run({ limit: batch, now: this.#options.now() })),
      )
      retried += changes
      this.added.notify()
      this.#updates.notifyAll()
      if (changes < batch || retried >= limit) return retried
    }
  }

  async cancel(id: string): Promise<Task | undefined> {
    const task = await this.#call(() =>
      this.#file.write(() => {
        this.#statements.cancel.run({ id, now: this.#options.now() })
        const row = this.#statements.find.get({ id })
        if (row === null) return undefined
        if (row.status !== 'cancelled') throw new TaskEnded(row.status)
        return fromRow(row)
      }),
    )
    this.cancelled.notify()
    this.#updates.notify([id])
    return task
  }

  async *watch(id: string, signal: AbortSignal): AsyncIterable<Task> {
    const readState = () =>
      this.#call(() => this.#file.read(() => this.#statements.readState.get({ id })?.state))
    const find = () => this.find(id)
    const ignoreOthers = this.#otherProcesses.watch()
    const { updated, unwatch } = this.#updates.watch(id)
    try {
      yield* watchTask({ readState, find, updated, pollIntervalMs }, signal)
    } finally {
      unwatch()
      ignoreOthers()
    }
  }

  depth(): Promise<number> {
    return this.#call(() => this.#file.read(() => this.#countPending()))
  }

  stats(): Promise<QueueStats> {
    return this.#call(() =>
      this.#file.read(() => {
        const now = this.#options.now()
        const silentMs = silentWorkerMs(this.#options)
        const waiting = this.#statements.readWaiting.get({ now })
        if (waiting === null) throw new Error('a statement without a from clause returned no row')
        return toQueueStats(
          this.#statements.readCounts.all(),
          waiting,
          this.#statements.readWorkers.all({ now, silentMs }),
          this.#statements.readHeldTasks.all(),
        )
      }),
    )
  }

  async setPaused(paused: boolean): Promise<void> {
    await this.#call(() =>
      this.#file.write(() => {
        this.#statements.setPaused.run({ paused: paused ? 1 : 0 })
      }),
    )
    this.added.notify()
  }

  consume(handler: TaskHandler, options: ConsumeOptions): Consumer {
    // Only where tasks run, which is also where other processes' tasks are of interest.
    this.#unwatch ??= this.#otherProcesses.watch()
    return this.#background.consume(handler, options)
  }

  ping(): Promise<void> {
    return this.#call(() => this.#file.ping(() => this.#statements.ping.get()))
  }

  /** Every commit is on the disk before it is confirmed (synchronous=FULL). */
  async durability(): Promise<{ readonly durable: true }> {
    return { durable: true }
  }

  /** Leaves the file open; its owner closes it. */
  close(): Promise<void> {
    this.#closed ??= this.#background.stop().then(() => this.#unwatch?.())
    return this.#closed
  }

  // Leases: the side of the consumers.

  async claim(lease: string, workerId: string): Promise<Claim | undefined> {
    // Most polls find nothing, and a poll that only reads takes no lock.
    const claimable = await mapDatabaseErrors(QueueUnavailable, () =>
      this.#file.read(() => this.#statements.findClaimable.get()),
    )
    if (claimable === null) return undefined
    const claim = await mapDatabaseErrors(QueueUnavailable, () =>
      this.#file.write(() => {
        const now = this.#options.now()
        this.#statements.claim.run({ lease, workerId, now })
        const row = this.#statements.findClaimed.get({ lease })
        return row === null ? undefined : { task: fromRow(row), waitMs: Math.max(0, now - row.due_at) }
      }),
    )
    if (claim !== undefined) this.#updates.notify([claim.task.id])
    return claim
  }

  renew(lease: string): Promise<LeaseWrite> {
    return mapDatabaseErrors(QueueUnavailable, () =>
      this.#file.write(() => {
        const { changes } = this.#statements.renew.run({ lease })
        return changes > 0 ? 'written' : this.#explainLoss(lease)
      }),
    )
  }

  complete(lease: string, result: string): Promise<LeaseWrite> {
    return this.#write(lease, (now) => this.#statements.complete.get({ lease, result, now }))
  }

  async fail(
    lease: string,
    error: string,
    retryInMs: number | undefined,
    isRefunded = false,
  ): Promise<LeaseWrite> {
    const { failPermanently, retryLater, postpone } = this.#statements
    const later = isRefunded ? postpone : retryLater
    const write = await this.#write(lease, (now) =>
      retryInMs === undefined
        ? failPermanently.get({ lease, error, now })
        : later.get({ lease, error, now, delayMs: retryInMs }),
    )
    this.#background.reschedule()
    return write
  }

  async release(lease: string): Promise<LeaseWrite> {
    const write = await this.#write(lease, (now) => this.#statements.release.get({ lease, now }))
    this.added.notify()
    return write
  }

  findCancelled(leases: readonly string[]): Promise<readonly string[]> {
    return mapDatabaseErrors(QueueUnavailable, () =>
      this.#file.read(() => leases.filter((lease) => this.#statements.findCancelled.get({ lease }) !== null)),
    )
  }

  async heartbeat({ id, name, version, concurrency }: WorkerAnnouncement): Promise<void> {
    await this.#file.write(() =>
      this.#statements.heartbeat.run({ id, name, version, concurrency, now: this.#options.now() }),
    )
  }

  async leave(workerId: string): Promise<void> {
    await this.#file.write(() => this.#statements.leave.run({ id: workerId }))
  }

  // TimedTasks: the side of the scheduler.

  async promoteDue(): Promise<number | undefined> {
    const now = this.#options.now()
    // Most polls find nothing to do, and take no lock.
    const next = await this.#file.read(() => this.#statements.readNextDue.get({ now }))
    if (next === null || next.due_ms === null) return undefined
    if (next.due_ms > 0 && (next.began_ms ?? 0) <= clockToleranceMs) return next.due_ms
    const { changes } = await this.#file.write(() => {
      this.#statements.restartDelays.run({ now })
      return this.#statements.promoteDue.run({ now })
    })
    if (changes > 0) this.added.notify()
    return 0
  }

  readLeases(): Promise<readonly LeaseRow[]> {
    return this.#file.read(() => this.#statements.readLeases.all())
  }

  async requeue(expired: readonly LeaseRow[]): Promise<void> {
    const { maxAttempts, now } = this.#options
    await this.#file.write(() => {
      for (const { seq, lease, beat } of expired)
        this.#statements.requeue.run({ seq, lease, beat, maxAttempts, now: now() })
    })
    this.added.notify()
    this.#updates.notifyAll()
  }

  // The cleanup of BackgroundWork.

  async deleteEnded(): Promise<void> {
    const { now, retentionMs } = this.#options
    await this.#file.write(() =>
      this.#statements.deleteSilentWorkers.run({ silentMs: forgottenWorkerMs, now: now() }),
    )
    const deleteBatch = () =>
      this.#file.write(() =>
        this.#statements.deleteEnded.run({ retentionMs, limit: cleanupBatchSize, now: now() }),
      )
    while ((await deleteBatch()).changes === cleanupBatchSize);
  }

  /** Runs a call of the port. Calls of a consumer do not pass here, so it can still finish while the queue closes. */
  #call<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(new QueueUnavailable(1, { cause: 'the queue is closed' }))
    return mapDatabaseErrors(QueueUnavailable, work)
  }

  #insert(task: NewTask, idempotency: Idempotency | undefined): Enqueued {
    const now = this.#options.now()
    const first = idempotency && this.#idempotencyKeys.find(idempotency, now)
    if (first !== undefined) return { task: parseFirstAnswer(first, task), replayed: true }
    if (this.#countPending() >= this.#options.capacity) throw new QueueFull(this.#options.capacity)
    const id = Bun.randomUUIDv7()
    const { kind, payload, priority = defaultPriority, traceparent = null } = task
    const runAt = Math.max(now, task.runAt ?? now + (task.delayMs ?? 0))
    const { lastInsertRowid } = this.#statements.insert.run({
      id,
      kind,
      priority,
      runAt,
      delayed: runAt > now ? 1 : 0,
      delayMs: task.delayMs ?? null,
      now,
    })
    this.#statements.insertPayload.run(lastInsertRowid, payload, traceparent)
    if (idempotency) this.#idempotencyKeys.save(idempotency, JSON.stringify({ id, now, runAt }), now)
    return { task: createTask(id, task, { createdAt: now, runAt }), replayed: false }
  }

  /** Runs a write under a lease, then notifies the watchers of its task. */
  async #write(lease: string, work: (now: number) => { id: string } | null): Promise<LeaseWrite> {
    const { row, loss } = await mapDatabaseErrors(QueueUnavailable, () =>
      this.#file.write(() => {
        const row = work(this.#options.now())
        return row === null ? { row, loss: this.#explainLoss(lease) } : { row, loss: undefined }
      }),
    )
    if (row === null) return loss
    this.#updates.notify([row.id])
    return 'written'
  }

  #explainLoss(lease: string): 'lost' | 'cancelled' {
    return this.#statements.findCancelled.get({ lease }) === null ? 'lost' : 'cancelled'
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
}

/** The task as it was accepted under an idempotency key. The same fingerprint means the same task. */
function parseFirstAnswer(saved: string, task: NewTask): Task {
  // Before tasks could be delayed, keys were saved without `runAt`.
  const { id, now, runAt = now } = JSON.parse(saved) as { id: string; now: number; runAt?: number }
  return createTask(id, { ...task, traceparent: undefined }, { createdAt: now, runAt })
}
