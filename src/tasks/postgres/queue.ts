import type { SQL } from 'bun'
import type { Idempotency } from '../../database/idempotency.ts'
import { InvalidCursor } from '../../database/invalid-cursor.ts'
import { mapDatabaseErrors } from '../../database/map-database-errors.ts'
import type { PostgresPool } from '../../database/postgres/pool.ts'
import { type BackgroundTasks, BackgroundWork } from '../background-work.ts'
import type { Claim, LeaseWrite, WorkerAnnouncement } from '../lease-consumer.ts'
import { Notifier } from '../notifier.ts'
import {
  cleanupBatchSize,
  forgottenWorkerMs,
  type QueueOptions,
  retryBatchSize,
  silentWorkerMs,
} from '../queue-options.ts'
import { toQueueStats } from '../queue-stats.ts'
import type { NewTask, Task } from '../task.ts'
import {
  type ConsumeOptions,
  type Consumer,
  type Enqueued,
  maxPageCharacters,
  type QueueStats,
  QueueUnavailable,
  TaskEnded,
  type TaskHandler,
  TaskNotFailed,
  type TaskPage,
  type TaskPageRequest,
  type TaskQueue,
} from '../task-queue.ts'
import {
  type CountRow,
  clockToleranceMs,
  fromRow,
  type HeldTaskRow,
  type NextDueRow,
  type TaskRow,
  type WaitingRow,
  type WorkerRow,
} from '../task-sql.ts'
import { TaskUpdates } from '../task-updates.ts'
import { watchTask } from '../watch-task.ts'
import { TaskInserter } from './inserter.ts'
import { Notifications } from './notifications.ts'
import { RunWrites } from './run-writes.ts'
import { execute, listPage } from './statements.ts'

/** How often consumers and watchers poll without a notification, in ms. */
const pollIntervalMs = 500
/** Counting the ended tasks takes long when there are many. From this number on, a count is reused for this long, in ms. */
const manyTasks = 200_000
const countsReuseMs = 10_000

type Row = TaskRow & { seq: string }
type LeaseRow = { seq: string; lease: string; beat: number }

/**
 * Tasks in PostgreSQL, beside the documents: the statements of the embedded queue, with row locks (`skip locked`) in
 * place of the file's one lock, and on the server's clock. Calls that arrive at the same time share a statement.
 */
export class PostgresTaskQueue implements TaskQueue, BackgroundTasks<LeaseRow> {
  readonly added = new Notifier()
  readonly cancelled = new Notifier()
  readonly pollIntervalMs = pollIntervalMs
  readonly #pool: PostgresPool
  readonly #options: QueueOptions
  readonly #updates = new TaskUpdates()
  readonly #notifications: Notifications
  readonly #inserter: TaskInserter
  readonly #runs: RunWrites
  readonly #background: BackgroundWork
  #ended: { readonly rows: readonly CountRow[]; readonly until: number } | undefined
  #closed: Promise<void> | undefined

  constructor(pool: PostgresPool, options: QueueOptions) {
    this.#pool = pool
    this.#options = options
    this.#inserter = new TaskInserter(pool, options.capacity)
    this.#notifications = new Notifications(
      pool,
      {
        added: () => this.added.notify(),
        delayed: () => this.#background.reschedule(),
        cancelled: () => this.cancelled.notify(),
        updated: (ids) => this.#updates.notify(ids),
        anyUpdated: () => this.#updates.notifyAll(),
      },
      (error, operation) => {
        if (!this.#closed) options.onError(error, operation)
      },
    )
    this.#runs = new RunWrites(pool, {
      onUpdated: (ids) => this.#notifications.publishUpdated(ids),
      explainLoss: (lease) => this.#explainLoss(lease),
    })
    this.#background = new BackgroundWork(this, options)
  }

  async enqueue(newTask: NewTask, idempotency?: Idempotency): Promise<Enqueued> {
    this.#assertOpen()
    const enqueued = await mapDatabaseErrors(QueueUnavailable, () =>
      this.#inserter.insert(newTask, idempotency, this.#options.now()),
    )
    const { task, replayed } = enqueued
    if (!replayed) this.#notifications.publish(task.runAt > task.createdAt ? 'delayed' : 'added')
    return enqueued
  }

  async find(id: string): Promise<Task | undefined> {
    if (!isStorable(id)) return await this.ping().then(() => undefined)
    const [row] = await this.#call((sql) => execute<Row>(sql, 'find', { id }), true)
    return row && fromRow(row)
  }

  async list(request: TaskPageRequest): Promise<TaskPage> {
    const { after } = request
    this.#assertOpen()
    if (after !== undefined && !/^[1-9][0-9]{0,17}$/.test(after)) throw new InvalidCursor()
    const rows = await this.#call(
      (sql) => listPage<Row & { found: number }>(sql, request, maxPageCharacters),
      true,
    )
    const more = (rows[0]?.found ?? 0) > rows.length
    return { tasks: rows.map(fromRow), next: more ? rows.at(-1)?.seq : undefined }
  }

  async retry(id: string): Promise<Task | undefined> {
    if (!isStorable(id)) return await this.ping().then(() => undefined)
    const [row] = await this.#call((sql) => execute<Row>(sql, 'retry', { id }), false)
    if (row !== undefined) {
      this.#notifications.publish('added')
      this.#notifications.publishUpdated([id])
      return fromRow(row)
    }
    const [other] = await this.#call((sql) => execute<Row>(sql, 'readStatus', { id }), true)
    if (other !== undefined) throw new TaskNotFailed(other.status)
    return undefined
  }

  async retryFailed(limit = Number.MAX_SAFE_INTEGER): Promise<number> {
    let retried = 0
    for (;;) {
      const batch = Math.min(retryBatchSize, limit - retried)
      const { count } = await this.#call((sql) => execute(sql, 'retryFailed', { limit: batch }), false)
      retried += count
      this.#notifications.publish('added')
      if (count < batch || retried >= limit) return retried
    }
  }

  async cancel(id: string): Promise<Task | undefined> {
    if (!isStorable(id)) return await this.ping().then(() => undefined)
    const [row] = await this.#call((sql) => execute<Row>(sql, 'cancel', { id }), true)
    if (row !== undefined) {
      this.#notifications.publish('cancelled')
      this.#notifications.publishUpdated([id])
      return fromRow(row)
    }
    const task = await this.find(id)
    if (task !== undefined && task.status !== 'cancelled') throw new TaskEnded(task.status)
    return task
  }

  async *watch(id: string, signal: AbortSignal): AsyncIterable<Task> {
    const readState = async () => {
      if (!isStorable(id)) return undefined
      const [row] = await this.#call((sql) => execute<{ state: string }>(sql, 'readState', { id }), true)
      return row?.state
    }
    this.#notifications.listen()
    const { updated, unwatch } = this.#updates.watch(id)
    try {
      yield* watchTask({ readState, find: () => this.find(id), updated, pollIntervalMs }, signal)
    } finally {
      unwatch()
    }
  }

  async depth(): Promise<number> {
    const [row] = await this.#call((sql) => execute<{ n: string }>(sql, 'countPending'), true)
    return Number(row?.n ?? 0)
  }

  async stats(): Promise<QueueStats> {
    const silentMs = silentWorkerMs(this.#options)
    const [active, ended, [waiting], workers, held] = await Promise.all([
      this.#call((sql) => execute<CountRow>(sql, 'countActive'), true),
      this.#countEnded(),
      this.#call((sql) => execute<WaitingRow>(sql, 'readWaiting'), true),
      this.#call((sql) => execute<WorkerRow>(sql, 'readWorkers', { silentMs }), true),
      this.#call((sql) => execute<HeldTaskRow>(sql, 'readHeldTasks'), true),
    ])
    if (waiting === undefined) throw new Error('a statement without a from clause returned no row')
    return toQueueStats([...active, ...ended], waiting, workers, held)
  }

  async setPaused(paused: boolean): Promise<void> {
    await this.#call((sql) => execute(sql, 'setPaused', { paused: paused ? 1 : 0 }), true)
    this.#notifications.publish('added')
  }

  consume(handler: TaskHandler, options: ConsumeOptions): Consumer {
    this.#notifications.listen()
    return this.#background.consume(handler, options)
  }

  async ping(): Promise<void> {
    this.#assertOpen()
    await mapDatabaseErrors(QueueUnavailable, () => this.#pool.ping('tasks'))
  }

  /** A server can be configured to confirm commits that are not on its disk. */
  async durability() {
    const [set] = await this.#call(
      (sql) => sql<{ fsync: string; commit: string }[]>`
        select current_setting('fsync') as fsync, current_setting('synchronous_commit') as commit`,
      true,
    )
    if (set?.fsync !== 'on') return { durable: false, reason: 'PostgreSQL runs with fsync off' } as const
    if (set.commit === 'off')
      return { durable: false, reason: 'PostgreSQL runs with synchronous_commit off' } as const
    return { durable: true } as const
  }

  /** Leaves the pool open; its owner closes it. */
  close(): Promise<void> {
    this.#closed ??= this.#background.stop()
    return this.#closed
  }

  // Leases: the side of the consumers.

  claim(lease: string, workerId: string): Promise<Claim | undefined> {
    return mapDatabaseErrors(QueueUnavailable, () => this.#runs.claim({ lease, workerId }))
  }

  async renew(lease: string): Promise<LeaseWrite> {
    const { count } = await this.#run((sql) => execute(sql, 'renew', { lease }), true)
    return count > 0 ? 'written' : await this.#explainLoss(lease)
  }

  complete(lease: string, result: string): Promise<LeaseWrite> {
    return mapDatabaseErrors(QueueUnavailable, () => this.#runs.complete({ lease, result }))
  }

  async fail(
    lease: string,
    error: string,
    retryInMs: number | undefined,
    isRefunded = false,
  ): Promise<LeaseWrite> {
    const message = replaceUnstorable(error)
    const later = isRefunded ? 'postpone' : 'retryLater'
    const write =
      retryInMs === undefined
        ? await this.#write('failPermanently', lease, { error: message })
        : await this.#write(later, lease, { error: message, delayMs: retryInMs })
    this.#background.reschedule()
    return write
  }

  async release(lease: string): Promise<LeaseWrite> {
    const write = await this.#write('release', lease, {})
    this.#notifications.publish('added')
    return write
  }

  async findCancelled(leases: readonly string[]): Promise<readonly string[]> {
    const rows = await this.#run(
      (sql) => execute<{ lease: string }>(sql, 'findCancelled', { leases: sql.array([...leases], 'TEXT') }),
      true,
    )
    return rows.map(({ lease }) => lease)
  }

  async heartbeat({ id, name, version, concurrency }: WorkerAnnouncement): Promise<void> {
    await this.#run((sql) => execute(sql, 'heartbeat', { id, name, version, concurrency }), true)
  }

  async leave(workerId: string): Promise<void> {
    await this.#run((sql) => execute(sql, 'leave', { id: workerId }), true)
  }

  // TimedTasks: the side of the scheduler.

  async promoteDue(): Promise<number | undefined> {
    const [next] = await this.#run((sql) => execute<NextDueRow>(sql, 'readNextDue'), true)
    if (next === undefined || next.due_ms === null) return undefined
    const dueMs = Number(next.due_ms)
    if (dueMs > 0 && Number(next.began_ms ?? 0) <= clockToleranceMs) return dueMs
    await this.#run((sql) => execute(sql, 'restartDelays'), true)
    const { count } = await this.#run((sql) => execute(sql, 'promoteDue'), true)
    if (count > 0) this.#notifications.publish('added')
    return 0
  }

  async readLeases(): Promise<readonly LeaseRow[]> {
    return await this.#run((sql) => execute<LeaseRow>(sql, 'readLeases'), true)
  }

  async requeue(expired: readonly LeaseRow[]): Promise<void> {
    const { maxAttempts } = this.#options
    for (const { seq, lease, beat } of expired) {
      const rows = await this.#run(
        (sql) => execute<{ id: string }>(sql, 'requeue', { seq, lease, beat, maxAttempts }),
        true,
      )
      if (rows.length > 0) this.#notifications.publishUpdated(rows.map(({ id }) => id))
    }
    this.#notifications.publish('added')
  }

  // The cleanup of BackgroundWork.

  async deleteEnded(): Promise<void> {
    const { retentionMs } = this.#options
    await this.#run((sql) => execute(sql, 'deleteSilentWorkers', { silentMs: forgottenWorkerMs }), true)
    const deleteBatch = () =>
      this.#run((sql) => execute(sql, 'deleteEnded', { retentionMs, limit: cleanupBatchSize }), true)
    while ((await deleteBatch()).count === cleanupBatchSize);
  }

  /** Runs a write under a lease. */
  async #write(
    name: 'failPermanently' | 'retryLater' | 'postpone' | 'release',
    lease: string,
    parameters: Readonly<Record<string, unknown>>,
  ): Promise<LeaseWrite> {
    const rows = await this.#run((sql) => execute<{ id: string }>(sql, name, { lease, ...parameters }), false)
    if (rows.length === 0) return await this.#explainLoss(lease)
    this.#notifications.publishUpdated(rows.map(({ id }) => id))
    return 'written'
  }

  async #explainLoss(lease: string): Promise<LeaseWrite> {
    return (await this.findCancelled([lease])).length > 0 ? 'cancelled' : 'lost'
  }

  async #countEnded(): Promise<readonly CountRow[]> {
    if (this.#ended !== undefined && performance.now() < this.#ended.until) return this.#ended.rows
    const rows = await this.#call((sql) => execute<CountRow>(sql, 'countEnded'), true)
    const total = rows.reduce((sum, { n }) => sum + Number(n), 0)
    this.#ended = { rows, until: total >= manyTasks ? performance.now() + countsReuseMs : 0 }
    return rows
  }

  /** Runs a call of the port. Calls of a consumer do not pass here, so it can still finish while the queue closes. */
  async #call<T>(work: (sql: SQL) => PromiseLike<T>, repeatable: boolean): Promise<T> {
    this.#assertOpen()
    return await this.#run(work, repeatable)
  }

  /** @param repeatable as PostgresPool.run */
  #run<T>(work: (sql: SQL) => PromiseLike<T>, repeatable: boolean): Promise<T> {
    return mapDatabaseErrors(QueueUnavailable, () =>
      this.#pool.run(async (sql) => await work(sql), repeatable),
    )
  }

  #assertOpen(): void {
    if (this.#closed) throw new QueueUnavailable(1, { cause: 'the queue is closed' })
  }
}

/** Whether PostgreSQL's text can hold an id. It has no NUL and no lone surrogates. */
function isStorable(id: string): boolean {
  return !id.includes('\0') && id.isWellFormed()
}

/** An error message may contain what PostgreSQL's text cannot store. */
function replaceUnstorable(error: string): string {
  return error.toWellFormed().replaceAll('\0', '\ufffd')
}
