import type { SQL, TransactionSQL } from 'bun'
import type { Idempotency } from '../../database/idempotency.ts'
import { PostgresIdempotencyKeys } from '../../database/postgres/idempotency-keys.ts'
import type { PostgresPool } from '../../database/postgres/pool.ts'
import { Batcher } from '../batcher.ts'
import { createTask, defaultPriority, type NewTask, type Task } from '../task.ts'
import { type Enqueued, QueueFull } from '../task-queue.ts'
import { execute } from './statements.ts'

/** How long a count of the pending tasks is reused, in ms, because counting a long queue is slow. */
const maxCountAgeMs = 250
/** With this many free places tasks are added without counting: that many cannot be added while a count is reused. */
const ampleFreePlaces = 20_000
/** PostgreSQL's advisory lock for the last places in the queue. */
const capacityLock = 0x74_61_6c_6c_79_01
const maxBatchTasks = 128

/** A task that gets its times from the server's clock. */
interface Insertion {
  readonly id: string
  readonly task: NewTask
}

interface TimesRow {
  id: string
  created_at: string
  run_at: string
}

/**
 * Adds tasks, exactly up to the capacity. Far below the capacity, a recent count of the pending tasks is enough. Close to
 * it, all processes count and add one after the other, under a lock.
 */
export class TaskInserter {
  readonly #pool: PostgresPool
  readonly #capacity: number
  readonly #keys = new PostgresIdempotencyKeys()
  readonly #batcher: Batcher<Insertion, Task | QueueFull>
  #counted = { pending: 0, at: Number.NEGATIVE_INFINITY }
  #counting: Promise<number> | undefined

  constructor(pool: PostgresPool, capacity: number) {
    this.#pool = pool
    this.#capacity = capacity
    this.#batcher = new Batcher((insertions) => this.#insertBatch(insertions), {
      maxItems: maxBatchTasks,
      characters: ({ task }) => task.payload.length,
    })
  }

  /** @throws QueueFull, IdempotencyMismatch, or what the pool throws */
  async insert(task: NewTask, idempotency: Idempotency | undefined, now: number): Promise<Enqueued> {
    const insertion = { id: Bun.randomUUIDv7(), task }
    const enqueued =
      idempotency === undefined
        ? { task: await this.#batcher.add(insertion), replayed: false }
        : await this.#insertOnce(insertion, idempotency, now)
    if (enqueued.task instanceof QueueFull) throw enqueued.task
    return { task: enqueued.task, replayed: enqueued.replayed }
  }

  async #insertBatch(insertions: readonly Insertion[]): Promise<(Task | QueueFull)[]> {
    const isAmple = (await this.#countFreePlaces()) >= ampleFreePlaces
    // A second attempt follows a lost connection, so the first one may have been committed.
    const tasks = await this.#pool.run(
      async (sql) =>
        isAmple
          ? await insertAll(sql, insertions)
          : await sql.begin((transaction) => this.#insertUpToCapacity(transaction, insertions)),
      true,
    )
    this.#counted.pending += tasks.size
    return insertions.map(({ id }) => tasks.get(id) ?? new QueueFull(this.#capacity))
  }

  /** Claims the idempotency key and adds the task in one transaction. */
  async #insertOnce(
    insertion: Insertion,
    idempotency: Idempotency,
    now: number,
  ): Promise<{ task: Task | QueueFull; replayed: boolean }> {
    const isAmple = (await this.#countFreePlaces()) >= ampleFreePlaces
    return await this.#pool.run(
      (sql) =>
        sql.begin(async (transaction) => {
          const { id, task } = insertion
          const first = await this.#keys.claim(transaction, idempotency, JSON.stringify({ id }), now)
          if (first !== undefined) {
            const answer = parseFirstAnswer(first, task)
            return { task: answer, replayed: answer.id !== id }
          }
          const tasks = isAmple
            ? await insertAll(transaction, [insertion])
            : await this.#insertUpToCapacity(transaction, [insertion])
          const added = tasks.get(id)
          // Thrown, so that the key is not used up.
          if (added === undefined) throw new QueueFull(this.#capacity)
          await this.#keys.save(transaction, idempotency, serializeFirstAnswer(added))
          this.#counted.pending++
          return { task: added, replayed: false }
        }),
      true,
    )
  }

  /** Returns the tasks that were added. The others found no place. */
  async #insertUpToCapacity(
    transaction: TransactionSQL,
    insertions: readonly Insertion[],
  ): Promise<ReadonlyMap<string, Task>> {
    await transaction`select pg_advisory_xact_lock(${capacityLock})`
    const [row] = await execute<{ n: string }>(transaction, 'countPending')
    const pending = Number(row?.n ?? 0)
    this.#counted = { pending, at: performance.now() }
    const free = Math.max(0, this.#capacity - pending)
    const fitting = insertions.slice(0, free)
    const added = fitting.length === 0 ? [] : await insertAll(transaction, fitting)
    // Those of a first attempt that was committed need no separate place.
    const earlier = free >= insertions.length ? [] : await findAll(transaction, insertions.slice(free))
    return new Map([...added, ...earlier])
  }

  /** The number of free places, by a recent count. Concurrent calls share one count. */
  async #countFreePlaces(): Promise<number> {
    if (performance.now() - this.#counted.at >= maxCountAgeMs) {
      this.#counting ??= this.#countPending().finally(() => {
        this.#counting = undefined
      })
      this.#counted = { pending: await this.#counting, at: performance.now() }
    }
    return this.#capacity - this.#counted.pending
  }

  async #countPending(): Promise<number> {
    const [row] = await this.#pool.run(async (sql) => await execute<{ n: string }>(sql, 'countPending'), true)
    return Number(row?.n ?? 0)
  }
}

/** Adds tasks, and leaves existing ones unchanged. */
async function insertAll(
  sql: SQL | TransactionSQL,
  insertions: readonly Insertion[],
): Promise<ReadonlyMap<string, Task>> {
  const texts = (read: (insertion: Insertion) => string | undefined) =>
    sql.array(
      insertions.map((insertion) => read(insertion) ?? null),
      'TEXT',
    )
  const numbers = (read: (task: NewTask) => number | undefined, type: 'INT' | 'BIGINT') =>
    sql.array(
      insertions.map(({ task }) => read(task) ?? null),
      type,
    )
  const rows = await execute<TimesRow>(sql, 'insert', {
    ids: texts(({ id }) => id),
    kinds: texts(({ task }) => task.kind),
    payloads: texts(({ task }) => task.payload),
    traceparents: texts(({ task }) => task.traceparent),
    priorities: numbers(({ priority = defaultPriority }) => priority, 'INT'),
    runAts: numbers(({ runAt }) => runAt, 'BIGINT'),
    delays: numbers(({ delayMs }) => delayMs, 'BIGINT'),
  })
  const added = toTasks(insertions, rows)
  if (added.size === insertions.length) return added
  const missing = insertions.filter(({ id }) => !added.has(id))
  return new Map([...added, ...(await findAll(sql, missing))])
}

async function findAll(
  sql: SQL | TransactionSQL,
  insertions: readonly Insertion[],
): Promise<ReadonlyMap<string, Task>> {
  const ids = sql.array(
    insertions.map(({ id }) => id),
    'TEXT',
  )
  return toTasks(insertions, await execute<TimesRow>(sql, 'findTimes', { ids }))
}

function toTasks(insertions: readonly Insertion[], rows: readonly TimesRow[]): Map<string, Task> {
  const times = new Map(rows.map((row) => [row.id, row]))
  return new Map(
    insertions.flatMap(({ id, task }) => {
      const row = times.get(id)
      if (row === undefined) return []
      return [[id, createTask(id, task, { createdAt: Number(row.created_at), runAt: Number(row.run_at) })]]
    }),
  )
}

function serializeFirstAnswer({ id, createdAt, runAt }: Task): string {
  return JSON.stringify({ id, now: createdAt, runAt })
}

/** The task as it was accepted under an idempotency key. The same fingerprint means the same task. */
function parseFirstAnswer(saved: string, task: NewTask): Task {
  // Before tasks could be delayed, keys were saved without `runAt`.
  const { id, now, runAt = now } = JSON.parse(saved) as { id: string; now: number; runAt?: number }
  return createTask(id, { ...task, traceparent: undefined }, { createdAt: now, runAt })
}
