import type { SqliteFile } from '../database/sqlite-file.ts'
import { SqliteIdempotency } from '../database/sqlite-idempotency.ts'
import type { Idempotency } from '../idempotency.ts'
import { LeaseConsumer, type Leases } from './lease-consumer.ts'
import { backoffMs, isEnded, type Task, type TaskStatus } from './task.ts'
import {
  type ConsumeOptions,
  type Consumer,
  type Enqueued,
  InvalidTaskCursor,
  QueueFull,
  type TaskHandler,
  TaskNotFailed,
  type TaskPage,
  type TaskPageRequest,
  type TaskQueue,
} from './task-queue.ts'
import { asQueue } from './unavailable.ts'
import { WakeUp } from './wake-up.ts'

/** How often another process's changes are looked for, in ms; those of this process are seen at once. */
const pollMs = 200
/** How often ended tasks whose time is over are deleted, in ms, and how many at most: the rest waits for the next look. */
const cleanUpEveryMs = 10_000
const cleanUpMax = 1_000
/** How soon a client may try again when as many tasks wait as may, in seconds. */
const fullRetryAfterSeconds = 5

export interface SqliteQueueOptions {
  /** Tasks that may wait; one more is refused. */
  readonly waitingMax: number
  /** Runs of a task before it is given up. */
  readonly attemptsMax: number
  /** How long an ended task is kept, in ms. */
  readonly keptMs: number
  /** How long a worker may be silent before its task is given to another, in ms. Default 15,000. */
  readonly leaseMs?: number
  /** Milliseconds since the epoch, the same for all processes. */
  readonly now?: () => number
  /** Uniform in [0, 1). */
  readonly random?: () => number
}

interface Row {
  seq: number
  id: string
  payload: string
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
  readonly #options: Required<SqliteQueueOptions>
  readonly #statements
  readonly #idempotency: SqliteIdempotency
  readonly #tasksCame = new WakeUp()
  readonly #tasksChanged = new WakeUp()
  readonly #consumers = new Set<LeaseConsumer>()
  readonly #cleaner: ReturnType<typeof setInterval>

  constructor(file: SqliteFile, options: SqliteQueueOptions) {
    this.#file = file
    this.#options = { leaseMs: 15_000, now: Date.now, random: Math.random, ...options }
    this.#statements = prepare(file)
    this.#idempotency = new SqliteIdempotency(file.db)
    this.#cleaner = setInterval(() => void this.#cleanUp().catch(() => {}), cleanUpEveryMs)
    this.#cleaner.unref()
  }

  async enqueue(payload: string, idempotency?: Idempotency): Promise<Enqueued> {
    const enqueued = await asQueue(() =>
      this.#file.write(() => {
        const now = this.#options.now()
        const first = idempotency && this.#idempotency.recall(idempotency, now)
        if (first !== undefined) return { task: JSON.parse(first) as Task, replayed: true }
        if (this.#waiting() >= this.#options.waitingMax)
          throw new QueueFull(this.#options.waitingMax, fullRetryAfterSeconds)
        const id = Bun.randomUUIDv7()
        this.#statements.insert.run(id, payload, now)
        const task = pending(id, payload, now)
        if (idempotency) this.#idempotency.remember(idempotency, JSON.stringify(task), now)
        return { task, replayed: false }
      }),
    )
    this.#tasksCame.wake()
    return enqueued
  }

  find(id: string): Promise<Task | undefined> {
    return asQueue(async () => {
      const row = await this.#file.read(() => this.#statements.find.get(id))
      return row === null ? undefined : fromRow(row)
    })
  }

  list({ limit, status, after }: TaskPageRequest): Promise<TaskPage> {
    return asQueue(async () => {
      if (after !== undefined && !/^[1-9][0-9]{0,15}$/.test(after)) throw new InvalidTaskCursor()
      const before = after === undefined ? Number.MAX_SAFE_INTEGER : Number(after)
      const { list, listByStatus } = this.#statements
      const rows = await this.#file.read(() =>
        status === undefined ? list.all(before, limit + 1) : listByStatus.all(status, before, limit + 1),
      )
      const page = rows.slice(0, limit)
      const next = rows.length > limit ? String(page.at(-1)?.seq) : undefined
      return { tasks: page.map(fromRow), next }
    })
  }

  async retry(id: string): Promise<Task | undefined> {
    const task = await asQueue(() =>
      this.#file.write(() => {
        const row = this.#statements.find.get(id)
        if (row === null) return undefined
        if (row.status !== 'failed') throw new TaskNotFailed(row.status)
        const again = this.#statements.retry.get(id, this.#options.now())
        return again === null ? undefined : fromRow(again)
      }),
    )
    this.#tasksCame.wake()
    this.#tasksChanged.wake()
    return task
  }

  async *watch(id: string, signal: AbortSignal): AsyncIterable<Task> {
    let seen = ''
    while (!signal.aborted) {
      const task = await this.find(id)
      if (task === undefined) return
      const state = `${task.status} ${task.attempts} ${task.updatedAt}`
      if (state !== seen) yield task
      if (isEnded(task)) return
      seen = state
      await this.#tasksChanged.wait(pollMs, signal)
    }
  }

  depth(): Promise<number> {
    return asQueue(() => this.#file.read(() => this.#waiting()))
  }

  consume(handler: TaskHandler, options: ConsumeOptions): Consumer {
    const consumer = new LeaseConsumer(this, handler, { ...options, leaseMs: this.#options.leaseMs })
    this.#consumers.add(consumer)
    return consumer
  }

  ping(): Promise<void> {
    return asQueue(async () => {
      await this.#file.read(() => this.#statements.ping.get())
    })
  }

  /** Every commit is on the disk before it is confirmed (synchronous=FULL). */
  async durability(): Promise<{ readonly durable: true }> {
    return { durable: true }
  }

  /** The file belongs to whoever opened it. */
  async close(): Promise<void> {
    clearInterval(this.#cleaner)
    await Promise.all([...this.#consumers].map((consumer) => consumer.finish()))
  }

  // Leases: what a consumer asks for.

  async claim(lease: string): Promise<Task | undefined> {
    // Most looks find nothing, and a look that only reads takes no lock.
    const due = await asQueue(() => this.#file.read(() => this.#statements.due.get(this.#options.now())))
    if (due === null) return undefined
    return this.#changing(() => {
      const now = this.#options.now()
      // A worker died in each of these tasks' runs, the last one included: it is the task that kills.
      this.#statements.giveUpDead.run(now, this.#options.attemptsMax)
      const row = this.#statements.claim.get(lease, now, now + this.#options.leaseMs)
      return row === null ? undefined : fromRow(row)
    })
  }

  renew(lease: string): Promise<boolean> {
    return asQueue(() =>
      this.#file.write(() => {
        return this.#statements.renew.run(lease, this.#options.now() + this.#options.leaseMs).changes > 0
      }),
    )
  }

  complete(lease: string, result: string): Promise<boolean> {
    return this.#changing(() => this.#statements.complete.run(lease, result, this.#options.now()).changes > 0)
  }

  fail(lease: string, task: Task, error: string, isFinal: boolean): Promise<'failed' | 'retried' | 'lost'> {
    return this.#changing(() => {
      const now = this.#options.now()
      const givenUp = isFinal || task.attempts >= this.#options.attemptsMax
      const dueAt = now + backoffMs(task.attempts, this.#options.random())
      const { changes } = givenUp
        ? this.#statements.giveUp.run(lease, error, now)
        : this.#statements.tryAgain.run(lease, error, now, dueAt)
      return changes === 0 ? 'lost' : givenUp ? 'failed' : 'retried'
    })
  }

  handBack(lease: string): Promise<boolean> {
    return this.#changing(() => this.#statements.handBack.run(lease, this.#options.now()).changes > 0)
  }

  waitForTasks(signal: AbortSignal): Promise<void> {
    return this.#tasksCame.wait(pollMs, signal)
  }

  async #changing<T>(work: () => T): Promise<T> {
    const result = await asQueue(() => this.#file.write(work))
    this.#tasksChanged.wake()
    return result
  }

  #waiting(): number {
    return this.#statements.waiting.get()?.n ?? 0
  }

  async #cleanUp(): Promise<void> {
    const before = this.#options.now() - this.#options.keptMs
    await this.#file.write(() => this.#statements.deleteEnded.run(before, cleanUpMax))
  }
}

/** Prepared once; the database closes them with itself. */
function prepare({ db }: SqliteFile) {
  return {
    insert: db.query<never, [string, string, number]>(
      `insert into tasks (id, payload, status, attempts, due_at, created_at, updated_at)
       values (?1, ?2, 'pending', 0, ?3, ?3, ?3)`,
    ),
    find: db.query<Row, [string]>(`select ${columns} from tasks where id = ?1`),
    list: db.query<Row, [number, number]>(
      `select ${columns} from tasks where seq < ?1 order by seq desc limit ?2`,
    ),
    listByStatus: db.query<Row, [string, number, number]>(
      `select ${columns} from tasks where status = ?1 and seq < ?2 order by seq desc limit ?3`,
    ),
    waiting: db.query<{ n: number }, []>("select n from task_counts where status = 'pending'"),
    retry: db.query<Row, [string, number]>(
      `update tasks set status = 'pending', attempts = 0, due_at = ?2, updated_at = ?2
       where id = ?1 and status = 'failed' returning ${columns}`,
    ),
    due: db.query<unknown, [number]>(
      `select 1 from tasks where status in ('pending', 'processing') and due_at <= ?1 limit 1`,
    ),
    claim: db.query<Row, [string, number, number]>(
      `update tasks set status = 'processing', attempts = attempts + 1, lease = ?1, due_at = ?3, updated_at = ?2
       where seq = (
         select seq from tasks where status in ('pending', 'processing') and due_at <= ?2
         order by due_at, seq limit 1)
       returning ${columns}`,
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
    handBack: db.query<never, [string, number]>(
      `update tasks set status = 'pending', attempts = attempts - 1, lease = null, updated_at = ?2, due_at = ?2
       where lease = ?1 and status = 'processing'`,
    ),
    deleteEnded: db.query<never, [number, number]>(
      `delete from tasks where seq in (
         select seq from tasks where status in ('completed', 'failed') and updated_at < ?1 limit ?2)`,
    ),
    ping: db.query<unknown, []>('select 1 from tasks limit 1'),
  }
}

const columns = 'seq, id, payload, status, attempts, result, error, created_at, updated_at'

function pending(id: string, payload: string, now: number): Task {
  return {
    id,
    payload,
    status: 'pending',
    attempts: 0,
    createdAt: now,
    updatedAt: now,
    result: undefined,
    error: undefined,
  }
}

function fromRow(row: Row): Task {
  return {
    id: row.id,
    payload: row.payload,
    status: row.status,
    attempts: row.attempts,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    result: row.result ?? undefined,
    error: row.error ?? undefined,
  }
}
