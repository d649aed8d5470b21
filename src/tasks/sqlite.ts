import type { Idempotency } from '../database/idempotency.ts'
import { InvalidCursor } from '../database/invalid-cursor.ts'
import { mapDatabaseErrors } from '../database/map-database-errors.ts'
import type { SqliteFile } from '../database/sqlite/file.ts'
import { SqliteIdempotencyKeys } from '../database/sqlite/idempotency-keys.ts'
import { LeaseConsumer, type Leases } from './lease-consumer.ts'
import { Notifier } from './notifier.ts'
import { cleanupBatchSize, cleanupIntervalMs, type QueueOptions } from './queue-options.ts'
import { backoffMs, newTask, type Task, type TaskStatus } from './task.ts'
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
 * How often other processes' tasks, and for a watcher other processes' changes, are looked for, in ms; those of this
 * process are seen at once. A look takes some 10 µs, and there may be many watchers.
 */
const pollMs = 25
const watchMs = 100

interface Row {
  seq: number
  id: string
  payload: string
  traceparent: string | null
  status: TaskStatus
  attempts: number
  result: string | null
  error: string | null
  created_at: number
  updated_at: number
}

/**
 * The embedded queue: tasks in the SQLite file that the documents are in. Several processes may share it.
 *
 * A claim is a lease: `due_at` of a task in processing is when it runs out, and `lease` is who has it. Every
 * write about a run names its lease, so a worker that lost it changes nothing.
 */
export class SqliteTaskQueue implements TaskQueue, Leases {
  readonly #file: SqliteFile
  readonly #options: QueueOptions
  readonly #statements
  readonly #idempotencyKeys: SqliteIdempotencyKeys
  readonly #tasksCame = new Notifier()
  readonly #tasksChanged = new Notifier()
  readonly #consumers = new Set<LeaseConsumer>()
  readonly #cleaner: ReturnType<typeof setInterval>
  #closed: Promise<void> | undefined

  constructor(file: SqliteFile, options: QueueOptions) {
    this.#file = file
    this.#options = options
    this.#statements = prepare(file)
    this.#idempotencyKeys = new SqliteIdempotencyKeys(file.db)
    this.#cleaner = setInterval(() => void this.#cleanUp().catch(() => {}), cleanupIntervalMs(options))
    this.#cleaner.unref()
  }

  async enqueue(payload: string, idempotency?: Idempotency, traceparent?: string): Promise<Enqueued> {
    const enqueued = await this.#call(() =>
      this.#file.write(() => {
        const now = this.#options.now()
        const first = idempotency && this.#idempotencyKeys.find(idempotency, now)
        if (first !== undefined) return { task: firstAnswer(first, payload), replayed: true }
        if (this.#waiting() >= this.#options.capacity) throw new QueueFull(this.#options.capacity)
        const id = Bun.randomUUIDv7()
        const { lastInsertRowid } = this.#statements.insert.run(id, now)
        this.#statements.insertPayload.run(lastInsertRowid, payload, traceparent ?? null)
        const task = newTask(id, payload, now)
        if (idempotency) this.#idempotencyKeys.save(idempotency, JSON.stringify({ id, now }), now)
        return { task, replayed: false }
      }),
    )
    this.#tasksCame.wake()
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
      return await this.#file.read(() => this.#page(request))
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
    this.#tasksCame.wake()
    this.#tasksChanged.wake()
    return task
  }

  watch(id: string, signal: AbortSignal): AsyncIterable<Task> {
    return watchTask(
      {
        state: () => this.#call(() => this.#file.read(() => this.#statements.state.get(id)?.state)),
        find: () => this.find(id),
        changed: this.#tasksChanged,
        lookEveryMs: watchMs,
      },
      signal,
    )
  }

  depth(): Promise<number> {
    return this.#call(() => this.#file.read(() => this.#waiting()))
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

  /** The file belongs to whoever opened it. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    clearInterval(this.#cleaner)
    await Promise.all([...this.#consumers].map((consumer) => consumer.release()))
  }

  // Leases: what a consumer asks for.

  async claim(lease: string): Promise<Task | undefined> {
    // Most looks find nothing, and a look that only reads takes no lock.
    const due = await mapDatabaseErrors(QueueUnavailable, () =>
      this.#file.read(() => this.#statements.due.get(this.#options.now())),
    )
    if (due === null) return undefined
    return this.#changing(() => {
      const now = this.#options.now()
      // A worker died in each of these tasks' runs, the last one included: it is the task that kills.
      this.#statements.giveUpDead.run(now, this.#options.maxAttempts)
      this.#statements.claim.run(lease, now, now + this.#options.leaseMs)
      const row = this.#statements.claimed.get(lease)
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
    return this.#changing(() => this.#statements.complete.run(lease, result, this.#options.now()).changes > 0)
  }

  fail(lease: string, error: string, isFinal: boolean): Promise<'failed' | 'retried' | 'lost'> {
    return this.#changing(() => {
      const run = this.#statements.run.get(lease)
      if (run === null) return 'lost'
      const { maxAttempts, initialBackoffMs, now, random } = this.#options
      if (isFinal || run.attempts >= maxAttempts) {
        this.#statements.giveUp.run(lease, error, now())
        return 'failed'
      }
      this.#statements.tryAgain.run(
        lease,
        error,
        now(),
        now() + backoffMs(run.attempts, initialBackoffMs, random()),
      )
      return 'retried'
    })
  }

  async release(lease: string): Promise<boolean> {
    const handedBack = await this.#changing(
      () => this.#statements.release.run(lease, this.#options.now()).changes > 0,
    )
    this.#tasksCame.wake()
    return handedBack
  }

  arrivals(): number {
    return this.#tasksCame.count
  }

  waitForTasks(signal: AbortSignal, since: number): Promise<void> {
    return this.#tasksCame.wait(pollMs, signal, since)
  }

  /** A call from outside; a consumer that finishes while the queue closes still comes through. */
  #call<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(new QueueUnavailable(1, { cause: 'the queue is closed' }))
    return mapDatabaseErrors(QueueUnavailable, work)
  }

  async #changing<T>(work: () => T): Promise<T> {
    const result = await mapDatabaseErrors(QueueUnavailable, () => this.#file.write(work))
    this.#tasksChanged.wake()
    return result
  }

  /** Row by row, so that a page of huge payloads stops before it is all in memory. */
  #page({ limit, status, after }: TaskPageRequest): TaskPage {
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

  #waiting(): number {
    return this.#statements.waiting.get()?.n ?? 0
  }

  async #cleanUp(): Promise<void> {
    const before = this.#options.now() - this.#options.retentionMs
    await this.#file.write(() => this.#statements.deleteEnded.run(before, cleanupBatchSize))
  }
}

/**
 * Prepared once; the database closes them with itself. The indexes are named where SQLite would take the one on the
 * status, and then sort all that wait: a claim would cost the length of the queue.
 */
function prepare({ db }: SqliteFile) {
  return {
    insert: db.query<never, [string, number]>(
      `insert into tasks (id, status, attempts, due_at, created_at, updated_at)
       values (?1, 'pending', 0, ?2, ?2, ?2)`,
    ),
    insertPayload: db.query<never, [number | bigint, string, string | null]>(
      'insert into task_payloads (seq, payload, traceparent) values (?1, ?2, ?3)',
    ),
    find: db.query<Row, [string]>(`select ${columns} from ${withPayload} where id = ?1`),
    state: db.query<{ state: string }, [string]>(
      `select status || ' ' || attempts || ' ' || updated_at as state from tasks where id = ?1`,
    ),
    list: db.query<Row, [number]>(
      `select ${columns} from ${withPayload} where tasks.seq < ?1 order by tasks.seq desc`,
    ),
    listByStatus: db.query<Row, [number, string]>(
      `select ${columns} from ${withPayload} where status = ?2 and tasks.seq < ?1 order by tasks.seq desc`,
    ),
    waiting: db.query<{ n: number }, []>("select n from task_counts where status = 'pending'"),
    retry: db.query<never, [string, number]>(
      `update tasks set status = 'pending', attempts = 0, due_at = ?2, updated_at = ?2
       where id = ?1 and status = 'failed'`,
    ),
    due: db.query<unknown, [number]>(
      `select 1 from tasks indexed by tasks_due
       where status in ('pending', 'processing') and due_at <= ?1 limit 1`,
    ),
    claim: db.query<never, [string, number, number]>(
      `update tasks set status = 'processing', attempts = attempts + 1, lease = ?1, due_at = ?3, updated_at = ?2
       where seq = (
         select seq from tasks indexed by tasks_due where status in ('pending', 'processing') and due_at <= ?2
         order by due_at, seq limit 1)`,
    ),
    claimed: db.query<Row, [string]>(`select ${columns} from ${withPayload} where lease = ?1`),
    run: db.query<{ attempts: number }, [string]>(
      "select attempts from tasks where lease = ?1 and status = 'processing'",
    ),
    giveUpDead: db.query<never, [number, number]>(
      `update tasks set status = 'failed', lease = null, updated_at = ?1,
         error = 'its worker died in every run'
       where status = 'processing' and due_at <= ?1 and attempts >= ?2`,
    ),
    renew: db.query<never, [string, number]>(
      `update tasks set due_at = ?2 where lease = ?1 and status = 'processing'`,
    ),
    complete: db.query<never, [string, string, number]>(
      `update tasks set status = 'completed', result = ?2, error = null, lease = null, updated_at = ?3
       where lease = ?1 and status = 'processing'`,
    ),
    giveUp: db.query<never, [string, string, number]>(
      `update tasks set status = 'failed', error = ?2, lease = null, updated_at = ?3
       where lease = ?1 and status = 'processing'`,
    ),
    tryAgain: db.query<never, [string, string, number, number]>(
      `update tasks set status = 'pending', error = ?2, lease = null, updated_at = ?3, due_at = ?4
       where lease = ?1 and status = 'processing'`,
    ),
    release: db.query<never, [string, number]>(
      `update tasks set status = 'pending', attempts = attempts - 1, lease = null, updated_at = ?2, due_at = ?2
       where lease = ?1 and status = 'processing'`,
    ),
    deleteEnded: db.query<never, [number, number]>(
      `delete from tasks where seq in (
         select seq from tasks indexed by tasks_ended
         where status in ('completed', 'failed') and updated_at < ?1 limit ?2)`,
    ),
    ping: db.query<unknown, []>('select 1 from tasks limit 1'),
  }
}

const columns = 'tasks.seq, id, payload, traceparent, status, attempts, result, error, created_at, updated_at'
const withPayload = 'tasks join task_payloads on task_payloads.seq = tasks.seq'

/** The task as it was accepted under an idempotency key: the same fingerprint means the same payload. */
function firstAnswer(remembered: string, payload: string): Task {
  const { id, now } = JSON.parse(remembered) as { id: string; now: number }
  return newTask(id, payload, now)
}

function fromRow(row: Row): Task {
  return {
    id: row.id,
    payload: row.payload,
    traceparent: row.traceparent ?? undefined,
    status: row.status,
    attempts: row.attempts,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    result: row.result ?? undefined,
    error: row.error ?? undefined,
  }
}
