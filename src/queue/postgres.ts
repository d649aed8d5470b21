import type { SQL, TransactionSQL } from 'bun'
import { PostgresIdempotency } from '../database/postgres-idempotency.ts'
import type { PostgresPool } from '../database/postgres-pool.ts'
import type { Idempotency } from '../idempotency.ts'
import { LeaseConsumer, type Leases } from './lease-consumer.ts'
import type { QueueOptions } from './queue-options.ts'
import { backoffMs, newTask, type Task, type TaskStatus } from './task.ts'
import {
  type ConsumeOptions,
  type Consumer,
  type Enqueued,
  InvalidTaskCursor,
  QueueFull,
  QueueUnavailable,
  TASKS_PAGE_CHARACTERS_MAX,
  type TaskHandler,
  TaskNotFailed,
  type TaskPage,
  type TaskPageRequest,
  type TaskQueue,
} from './task-queue.ts'
import { asQueue } from './unavailable.ts'
import { WakeUp } from './wake-up.ts'
import { watchTask } from './watch-task.ts'

/**
 * How often other processes' tasks, and for a watcher other processes' changes, are looked for, in ms; those of this
 * process are seen at once. One look serves all consumers of a process.
 */
const pollMs = 50
const watchMs = 100
/** A consumer looks by itself at the latest after so long, in ms. */
const lookMs = 1_000
/** How often ended tasks whose time is over are deleted, in ms, and how many at most. */
const cleanUpEveryMs = 10_000
const cleanUpMax = 1_000
/** How long a count of the waiting tasks is good for, in ms: counting a long queue takes milliseconds. */
const countedMsMax = 500
/** How soon a client may try again when as many tasks wait as may, in seconds. */
const fullRetryAfterSeconds = 5

/** 64-bit integers arrive as text. */
interface Row {
  seq: string
  id: string
  payload: string
  status: TaskStatus
  attempts: number
  result: string | null
  error: string | null
  created_at: string
  updated_at: string
}

/**
 * Tasks in PostgreSQL, beside the documents: the SQLite adapter's statements with row locks (`skip locked`) in place of
 * the file's one lock. Due times and leases go by the server's clock, for those of several hosts differ.
 *
 * The bound on waiting tasks goes by a count that is up to half a second old, and before a task is refused by a new one:
 * it may be exceeded by what other instances accept in that time.
 */
export class PostgresTaskQueue implements TaskQueue, Leases {
  readonly #pool: PostgresPool
  readonly #options: QueueOptions
  readonly #idempotency = new PostgresIdempotency()
  readonly #tasksCame = new WakeUp()
  readonly #tasksChanged = new WakeUp()
  readonly #consumers = new Set<LeaseConsumer>()
  readonly #cleaner: ReturnType<typeof setInterval>
  #poller: ReturnType<typeof setInterval> | undefined
  #looking = false
  #counted = { waiting: 0, at: Number.NEGATIVE_INFINITY }
  #closed: Promise<void> | undefined

  constructor(pool: PostgresPool, options: QueueOptions) {
    this.#pool = pool
    this.#options = options
    const every = Math.min(cleanUpEveryMs, options.keptMs)
    this.#cleaner = setInterval(() => void this.#cleanUp().catch(() => {}), every)
    this.#cleaner.unref()
  }

  async enqueue(payload: string, idempotency?: Idempotency): Promise<Enqueued> {
    const wanted = { id: Bun.randomUUIDv7(), now: this.#options.now() }
    const enqueued = await this.#call(
      (sql) =>
        idempotency === undefined
          ? this.#insert(sql, wanted, payload)
          : sql.begin((transaction) => this.#insertOnce(transaction, wanted, payload, idempotency)),
      true,
    )
    this.#counted.waiting += enqueued.replayed ? 0 : 1
    this.#tasksCame.wake()
    return enqueued
  }

  find(id: string): Promise<Task | undefined> {
    return this.#call(async (sql) => {
      // PostgreSQL's text has neither.
      if (id.includes('\0') || !id.isWellFormed()) return undefined
      const [row] = await sql<Row[]>`select * from tasks where id = ${id}`
      return row && fromRow(row)
    }, true)
  }

  list({ limit, status, after }: TaskPageRequest): Promise<TaskPage> {
    return this.#call(async (sql) => {
      if (after !== undefined && !/^[1-9][0-9]{0,17}$/.test(after)) throw new InvalidTaskCursor()
      const before = after ?? '9223372036854775807'
      // One row more than the page tells whether there is a next one; octet_length does not read the text itself.
      const rows = await sql<(Row & { found: number })[]>`
        select * from (
          select *, count(*) over ()::int as found, row_number() over downwards as place,
            sum(octet_length(payload)) over downwards as bytes
          from (select * from tasks
            where seq < ${before} ${status === undefined ? sql`` : sql`and status = ${status}`}
            order by seq desc limit ${limit + 1}) as ahead
          window downwards as (order by seq desc rows unbounded preceding)
        ) as measured
        where place = 1 or (place <= ${limit} and bytes <= ${TASKS_PAGE_CHARACTERS_MAX}) order by seq desc`
      const more = (rows[0]?.found ?? 0) > rows.length
      return { tasks: rows.map(fromRow), next: more ? rows.at(-1)?.seq : undefined }
    }, true)
  }

  async retry(id: string): Promise<Task | undefined> {
    const retried = await this.#call(async (sql) => {
      if (id.includes('\0') || !id.isWellFormed()) return undefined
      const [row] = await sql<Row[]>`
        update tasks set status = 'pending', attempts = 0, due_at = ${clock(sql)}, updated_at = ${clock(sql)}
        where id = ${id} and status = 'failed' returning *`
      if (row !== undefined) return fromRow(row)
      const [other] = await sql<Pick<Row, 'status'>[]>`select status from tasks where id = ${id}`
      if (other !== undefined) throw new TaskNotFailed(other.status)
      return undefined
    }, false)
    this.#tasksCame.wake()
    this.#tasksChanged.wake()
    return retried
  }

  watch(id: string, signal: AbortSignal): AsyncIterable<Task> {
    return watchTask(
      {
        state: () => this.#state(id),
        find: () => this.find(id),
        changed: this.#tasksChanged,
        lookEveryMs: watchMs,
      },
      signal,
    )
  }

  depth(): Promise<number> {
    return this.#call((sql) => this.#count(sql), true)
  }

  consume(handler: TaskHandler, options: ConsumeOptions): Consumer {
    const consumer = new LeaseConsumer(this, handler, { ...options, leaseMs: this.#options.leaseMs })
    this.#consumers.add(consumer)
    this.#poller ??= setInterval(() => void this.#lookForTasks(), pollMs)
    return consumer
  }

  ping(): Promise<void> {
    return this.#call(async (sql) => {
      await sql`select 1`
    }, true)
  }

  /** A server can be told to confirm what is not on its disk yet. */
  durability() {
    return this.#call(async (sql) => {
      const [set] = await sql<{ fsync: string; commit: string }[]>`
        select current_setting('fsync') as fsync, current_setting('synchronous_commit') as commit`
      if (set?.fsync !== 'on') return { durable: false, reason: 'PostgreSQL runs with fsync off' } as const
      if (set.commit === 'off')
        return { durable: false, reason: 'PostgreSQL runs with synchronous_commit off' } as const
      return { durable: true } as const
    }, true)
  }

  /** The pool belongs to whoever opened it. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    clearInterval(this.#cleaner)
    clearInterval(this.#poller)
    await Promise.all([...this.#consumers].map((consumer) => consumer.handBack()))
  }

  // Leases: what a consumer asks for. None is repeated when its connection breaks: the first try may have counted.

  async claim(lease: string): Promise<Task | undefined> {
    for (;;) {
      const row = await this.#change(async (sql) => {
        const [claimed] = await sql<Row[]>`
          update tasks set status = 'processing', attempts = attempts + 1, lease = ${lease},
            due_at = ${clock(sql)} + ${this.#options.leaseMs}, updated_at = ${clock(sql)}
          where seq = (
            select seq from tasks where status in ('pending', 'processing') and due_at <= ${clock(sql)}
            order by due_at, seq limit 1 for update skip locked)
          returning *`
        return claimed
      })
      if (row === undefined) return undefined
      if (row.attempts <= this.#options.attemptsMax) return fromRow(row)
      // A worker died in each of this task's runs, the last one included: it is the task that kills.
      await this.#change(
        (sql) => sql`
          update tasks set status = 'failed', lease = null, attempts = attempts - 1, updated_at = ${clock(sql)},
            error = 'its worker died in every run'
          where lease = ${lease} and status = 'processing'`,
      )
    }
  }

  async renew(lease: string): Promise<boolean> {
    return await asQueue(() =>
      this.#pool.run(async (sql) => {
        const renewed = await sql`
          update tasks set due_at = ${clock(sql)} + ${this.#options.leaseMs}
          where lease = ${lease} and status = 'processing'`
        return renewed.count > 0
      }, true),
    )
  }

  async complete(lease: string, result: string): Promise<boolean> {
    const written = await this.#change(
      (sql) => sql`
        update tasks set status = 'completed', result = ${result}, error = null, lease = null,
          updated_at = ${clock(sql)}
        where lease = ${lease} and status = 'processing'`,
    )
    return written.count > 0
  }

  async fail(lease: string, error: string, isFinal: boolean): Promise<'failed' | 'retried' | 'lost'> {
    const { attemptsMax, backoffFirstMs, random } = this.#options
    return await this.#change(async (sql) => {
      const [run] = await sql<Pick<Row, 'attempts'>[]>`select attempts from tasks where lease = ${lease}`
      if (run === undefined) return 'lost'
      const givenUp = isFinal || run.attempts >= attemptsMax
      const written = await sql`
        update tasks set status = ${givenUp ? 'failed' : 'pending'}, error = ${storable(error)}, lease = null,
          updated_at = ${clock(sql)}, due_at = ${clock(sql)} + ${backoffMs(run.attempts, backoffFirstMs, random())}
        where lease = ${lease} and status = 'processing'`
      return written.count === 0 ? 'lost' : givenUp ? 'failed' : 'retried'
    })
  }

  async handBack(lease: string): Promise<boolean> {
    const written = await this.#change(
      (sql) => sql`
        update tasks set status = 'pending', attempts = attempts - 1, lease = null, updated_at = ${clock(sql)},
          due_at = ${clock(sql)}
        where lease = ${lease} and status = 'processing'`,
    )
    this.#tasksCame.wake()
    return written.count > 0
  }

  arrivals(): number {
    return this.#tasksCame.count
  }

  waitForTasks(signal: AbortSignal, since: number): Promise<void> {
    return this.#tasksCame.wait(lookMs, signal, since)
  }

  /** @param repeatable as PostgresPool.run */
  #call<T>(work: (sql: SQL) => Promise<T>, repeatable: boolean): Promise<T> {
    if (this.#closed) return Promise.reject(new QueueUnavailable(1, { cause: 'the queue is closed' }))
    return asQueue(() => this.#pool.run(work, repeatable))
  }

  async #change<T>(work: (sql: SQL) => Promise<T>): Promise<T> {
    const result = await asQueue(() => this.#pool.run(work, false))
    this.#tasksChanged.wake()
    return result
  }

  /** The state alone: the payload may be large, and it does not change. */
  #state(id: string): Promise<string | undefined> {
    return this.#call(async (sql) => {
      if (id.includes('\0') || !id.isWellFormed()) return undefined
      const [row] = await sql<{ state: string }[]>`
        select status || ' ' || attempts || ' ' || updated_at as state from tasks where id = ${id}`
      return row?.state
    }, true)
  }

  /** @throws QueueFull */
  async #insert(
    sql: SQL | TransactionSQL,
    { id, now }: { id: string; now: number },
    payload: string,
  ): Promise<Enqueued> {
    await this.#assertRoom(sql)
    // A conflict with our own id is the first attempt, whose confirmation was lost: it succeeded.
    await sql`
      insert into tasks (id, payload, status, due_at, created_at, updated_at)
      values (${id}, ${payload}, 'pending', ${clock(sql)}, ${now}, ${now}) on conflict (id) do nothing`
    return { task: newTask(id, payload, now), replayed: false }
  }

  async #insertOnce(
    transaction: TransactionSQL,
    wanted: { id: string; now: number },
    payload: string,
    idempotency: Idempotency,
  ): Promise<Enqueued> {
    const first = await this.#idempotency.take(transaction, idempotency, JSON.stringify(wanted), wanted.now)
    if (first === undefined) return await this.#insert(transaction, wanted, payload)
    const { id, now } = JSON.parse(first) as { id: string; now: number }
    return { task: newTask(id, payload, now), replayed: id !== wanted.id }
  }

  async #assertRoom(sql: SQL | TransactionSQL): Promise<void> {
    const { waitingMax } = this.#options
    const fresh = performance.now() - this.#counted.at < countedMsMax
    if (fresh && this.#counted.waiting < waitingMax) return
    this.#counted = { waiting: await this.#count(sql), at: performance.now() }
    if (this.#counted.waiting >= waitingMax) throw new QueueFull(waitingMax, fullRetryAfterSeconds)
  }

  /** Wakes the consumers when a task is due, whoever has added it and whenever. */
  async #lookForTasks(): Promise<void> {
    if (this.#looking) return
    this.#looking = true
    try {
      const [due] = await this.#pool.run(
        (sql) => sql`
          select 1 from tasks where status in ('pending', 'processing') and due_at <= ${clock(sql)} limit 1`,
        true,
      )
      if (due !== undefined) this.#tasksCame.wake()
    } catch {
      // The server is away; the consumers meet that themselves.
    } finally {
      this.#looking = false
    }
  }

  async #count(sql: SQL | TransactionSQL): Promise<number> {
    const [row] = await sql<{ n: string }[]>`select count(*) as n from tasks where status = 'pending'`
    return Number(row?.n ?? 0)
  }

  async #cleanUp(): Promise<void> {
    await this.#pool.run(
      (sql) => sql`
        delete from tasks where seq in (
          select seq from tasks
          where status in ('completed', 'failed') and updated_at < ${clock(sql)} - ${this.#options.keptMs}
          limit ${cleanUpMax} for update skip locked)`,
      true,
    )
  }
}

/** The server's clock, in milliseconds since the epoch. */
function clock(sql: SQL | TransactionSQL) {
  return sql`(extract(epoch from clock_timestamp()) * 1000)::bigint`
}

/** An error can hold any text; PostgreSQL's has no NUL and no lone surrogates. */
function storable(error: string): string {
  return error.toWellFormed().replaceAll('\0', '\ufffd')
}

function fromRow(row: Row): Task {
  return {
    id: row.id,
    payload: row.payload,
    status: row.status,
    attempts: row.attempts,
    createdAt: Number(row.created_at),
    updatedAt: Number(row.updated_at),
    result: row.result ?? undefined,
    error: row.error ?? undefined,
  }
}
