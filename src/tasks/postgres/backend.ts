import type { Job } from 'bullmq'
import type { SQL, TransactionSQL } from 'bun'
import type { Idempotency } from '../../database/idempotency.ts'
import { mapDatabaseErrors } from '../../database/map-database-errors.ts'
import { PostgresIdempotencyKeys } from '../../database/postgres/idempotency-keys.ts'
import type { PostgresPool } from '../../database/postgres/pool.ts'
import {
  type BullmqBackend,
  type BullmqClient,
  createJobData,
  maxStalledCount,
  queueName,
  stalledIntervalMs,
  type TaskEvent,
  type TaskNotifiers,
} from '../bullmq/backend.ts'
import type { QueueOptions } from '../queue-options.ts'
import { createTask, defaultPriority, type Task, type TaskStatus } from '../task.ts'
import {
  type Enqueued,
  maxPageCharacters,
  QueueFull,
  QueueUnavailable,
  type TaskPage,
  type TaskPageRequest,
} from '../task-queue.ts'
import { PostgresConnection } from './connection.ts'

/** How long a count of the pending tasks is reused, in ms, because counting a long queue is slow. */
const maxCountAgeMs = 500
/** With this many free places a task is added without counting: that many cannot be added while a count is reused. */
const ampleFreePlaces = 20_000
/** PostgreSQL's advisory locks for the last places in the queue, and for requeueing expired tasks. */
const capacityLock = 0x74_61_6c_6c_79_01
const requeueLock = 0x74_61_6c_6c_79_02

/** 64-bit integers arrive as text. */
interface Row {
  id: string
  state: 'waiting' | 'delayed' | 'active' | 'completed' | 'failed'
  payload: string
  attempts: number
  added: string
  changed: string
  result: string | null
  error: string | null
}

const jobStates = {
  pending: ['waiting', 'delayed'],
  processing: ['active'],
  completed: ['completed'],
  failed: ['failed'],
  cancelled: [],
} as const satisfies Record<TaskStatus, Row['state'][]>

/**
 * BullMQ in PostgreSQL, in its own schema beside the documents. BullMQ's JavaScript claims and records. What it does not
 * do, or not in one transaction, are statements on its tables and calls of its functions, through the pool of the
 * documents: they have that pool's limits, and can share a transaction with an idempotency key.
 *
 * BullMQ takes the time for its locks from the process. Here leases follow the server's clock, so that a host whose
 * clock is wrong does not claim the tasks of other workers. `progress`, which BullMQ leaves to its users, is when a task
 * was updated other than by a run.
 */
export class PostgresBackend implements BullmqBackend {
  readonly #pool: PostgresPool
  readonly #options: QueueOptions
  readonly #notifiers: TaskNotifiers
  readonly #connection: PostgresConnection
  readonly #idempotencyKeys = new PostgresIdempotencyKeys()
  #counted = { pending: 0, at: Number.NEGATIVE_INFINITY }
  #counting: Promise<number> | undefined

  constructor(url: string, pool: PostgresPool, options: QueueOptions, notifiers: TaskNotifiers) {
    this.#pool = pool
    this.#options = options
    this.#notifiers = notifiers
    this.#connection = new PostgresConnection({
      url,
      leaseMs: options.leaseMs,
      subscriptions: {
        bullmq_jobs: () => notifiers.added.notify(),
        bullmq_events: () => notifiers.updated.notify(),
      },
      onListening: () => {
        notifiers.added.notify()
        notifiers.updated.notify()
      },
    })
  }

  use<T>(work: (client: BullmqClient) => Promise<T>): Promise<T> {
    return this.#connection.use(work)
  }

  async enqueue(task: Task, idempotency: Idempotency | undefined): Promise<Enqueued> {
    const isAmple = (await this.#countFreePlaces()) >= ampleFreePlaces
    // Both ways recognize their own first attempt by the id of the task, when its confirmation was lost.
    const enqueued = await this.#run(async (sql) => {
      if (idempotency === undefined && isAmple) return await this.#add(sql, task)
      return await sql.begin(async (transaction) => {
        const first =
          idempotency &&
          (await this.#idempotencyKeys.claim(
            transaction,
            idempotency,
            serializeFirstAnswer(task),
            task.createdAt,
          ))
        if (first !== undefined) return parseFirstAnswer(first, task)
        if (!isAmple) await this.#assertCapacity(transaction)
        return await this.#add(transaction, task)
      })
    }, true)
    this.#counted.pending += enqueued.replayed ? 0 : 1
    return enqueued
  }

  async find(id: string): Promise<Task | undefined> {
    const [row] = await this.#run(
      async (sql) =>
        await sql<Row[]>`select ${columns(sql)} from bullmq.job where queue = ${queueName} and id = ${id}`,
      true,
    )
    return row && fromRow(row)
  }

  async list({ limit, status, after }: TaskPageRequest): Promise<TaskPage> {
    // One row more than the page shows whether there is a next page.
    const rows = await this.#run(
      async (sql) =>
        await sql<(Row & { found: number })[]>`
        select * from (
          select *, count(*) over ()::int as found, row_number() over downwards as place,
            sum(octet_length(payload)) over downwards as bytes
          from (select ${columns(sql)} from bullmq.job
            where queue = ${queueName} ${after === undefined ? sql`` : sql`and id < ${after}`}
              ${status === undefined ? sql`` : sql`and state::text = any(${sql.array([...jobStates[status]], 'TEXT')})`}
            order by id desc limit ${limit + 1}) as ahead
          window downwards as (order by id desc rows unbounded preceding)
        ) as measured
        where place = 1 or (place <= ${limit} and bytes <= ${maxPageCharacters}) order by id desc`,
      true,
    )
    const more = (rows[0]?.found ?? 0) > rows.length
    return { tasks: rows.map(fromRow), next: more ? rows.at(-1)?.id : undefined }
  }

  depth(): Promise<number> {
    return this.#run(countPending, true)
  }

  async ping(): Promise<void> {
    await this.#run((sql) => sql`select 1`, true)
  }

  /** A server can be configured to confirm commits that are not on its disk. */
  durability() {
    return this.#run(async (sql) => {
      const [set] = await sql<{ fsync: string; commit: string }[]>`
        select current_setting('fsync') as fsync, current_setting('synchronous_commit') as commit`
      if (set?.fsync !== 'on') return { durable: false, reason: 'PostgreSQL runs with fsync off' } as const
      if (set.commit === 'off')
        return { durable: false, reason: 'PostgreSQL runs with synchronous_commit off' } as const
      return { durable: true } as const
    }, true)
  }

  async renew(id: string, lease: string): Promise<boolean> {
    const [renewed] = await this.#run(
      async (sql) =>
        await sql<{ n: number }[]>`
        select bullmq.extend_lock(${queueName}, ${id}, ${lease}, ${this.#options.leaseMs}, ${clock(sql)}) as n`,
      true,
    )
    return renewed?.n === 1
  }

  async refundAttempt(id: string, lease: string): Promise<boolean> {
    const refunded = await this.#run(
      (sql) => sql`
        update bullmq.job set attempts_started = attempts_started - 1
        where queue = ${queueName} and id = ${id} and state = 'active' and lock_token = ${lease}`,
      false,
    )
    return refunded.count > 0
  }

  /** BullMQ's own `moveToWait` does not tell whether the lock held. */
  async release(job: Job, lease: string): Promise<boolean> {
    const released = await this.#run(
      async (sql) =>
        await sql<unknown[]>`
        with released as (
          update bullmq.job set state = 'waiting', attempts_started = attempts_started - 1,
            lock_token = null, locked_until_ms = null, progress = to_jsonb(${this.#options.now()}::bigint)
          where queue = ${queueName} and id = ${job.id as string} and state = 'active' and lock_token = ${lease}
          returning id)
        select pg_notify('bullmq_jobs', ${queueName}), pg_notify('bullmq_events', ${queueName}) from released`,
      false,
    )
    return released.length > 0
  }

  /** A lease that is seen for the first time holds from now on, because another host's clock may have set its end. */
  async requeueExpired(): Promise<number> {
    const { leaseMs } = this.#options
    return await this.#run(
      (sql) =>
        sql.begin(async (transaction) => {
          const [lock] = await transaction<{ locked: boolean }[]>`
            select pg_try_advisory_xact_lock(${requeueLock}) as locked`
          if (!lock?.locked) return 0
          await transaction`
            update bullmq.job set locked_until_ms = ${clock(transaction)} + ${leaseMs}
            where queue = ${queueName} and state = 'active' and not stalled_marked`
          const requeued = await transaction<unknown[]>`
            select bullmq.move_stalled_jobs_to_wait(
              ${queueName}, ${maxStalledCount}, ${clock(transaction)}, ${stalledIntervalMs(leaseMs)})`
          return requeued.length
        }),
      false,
    )
  }

  async setUpdatedAt(id: string, now: number): Promise<void> {
    await this.#run(
      (sql) => sql`
        update bullmq.job set progress = to_jsonb(${now}::bigint) where queue = ${queueName} and id = ${id}`,
      true,
    )
  }

  /** BullMQ's functions notify all processes; this only spares this process the wait. */
  async publish(event: TaskEvent): Promise<void> {
    this.#notifiers[event].notify()
  }

  /** There is no index beside the tasks. */
  async removeFromIndex(): Promise<void> {}

  /** Leaves the pool of the documents open; its owner closes it. */
  close(): Promise<void> {
    return this.#connection.close()
  }

  /** @param repeatable as PostgresPool.run */
  async #run<T>(work: (sql: SQL) => Promise<T>, repeatable: boolean): Promise<T> {
    await this.#connection.ready()
    return await mapDatabaseErrors(QueueUnavailable, () => this.#pool.run(work, repeatable))
  }

  /** Leaves a task with the same id unchanged. */
  async #add(sql: SQL | TransactionSQL, task: Task): Promise<Enqueued> {
    await sql`
      select bullmq.add_job(${queueName}, ${task.id}, 'task',
        ${JSON.stringify(createJobData(task))}::text::jsonb, '{}'::jsonb, 0, 0, ${task.createdAt}, 1,
        null, null, null, null, null, false)`
    return { task, replayed: false }
  }

  /** The number of free places, by a recent count. Concurrent calls share one count. */
  async #countFreePlaces(): Promise<number> {
    if (performance.now() - this.#counted.at >= maxCountAgeMs) {
      this.#counting ??= this.depth().finally(() => {
        this.#counting = undefined
      })
      this.#counted = { pending: await this.#counting, at: performance.now() }
    }
    return this.#options.capacity - this.#counted.pending
  }

  /** The transactions count one after the other, so that all of them together do not exceed the capacity. */
  async #assertCapacity(transaction: TransactionSQL): Promise<void> {
    const { capacity } = this.#options
    await transaction`select pg_advisory_xact_lock(${capacityLock})`
    this.#counted = { pending: await countPending(transaction), at: performance.now() }
    if (this.#counted.pending >= capacity) throw new QueueFull(capacity)
  }
}

/** The server's clock, in milliseconds since the epoch. */
function clock(sql: SQL | TransactionSQL) {
  return sql`(extract(epoch from clock_timestamp()) * 1000)::bigint`
}

async function countPending(sql: SQL | TransactionSQL): Promise<number> {
  const [row] = await sql<{ n: string }[]>`
    select (select count(*) from bullmq.job where queue = ${queueName} and state = 'waiting')
      + (select count(*) from bullmq.job where queue = ${queueName} and state = 'delayed') as n`
  return Number(row?.n ?? 0)
}

function columns(sql: SQL | TransactionSQL) {
  return sql`
    id, state::text as state, data ->> 'payload' as payload, attempts_started as attempts, added_at_ms as added,
    greatest(added_at_ms, processed_at_ms, finished_at_ms, progress::bigint) as changed,
    return_value #>> '{}' as result, failed_reason as error`
}

function fromRow({ id, state, payload, attempts, added, changed, result, error }: Row): Task {
  const status = (['processing', 'completed', 'failed'] as const).find((each) =>
    (jobStates[each] as readonly string[]).includes(state),
  )
  return {
    id,
    payload,
    status: status ?? 'pending',
    attempts,
    kind: 'analysis',
    priority: defaultPriority,
    runAt: Number(added),
    createdAt: Number(added),
    updatedAt: Number(changed),
    result: status === 'completed' ? (result ?? undefined) : undefined,
    error: status === 'completed' ? undefined : (error ?? undefined),
  }
}

/** The first answer under an idempotency key, as it is stored. */
function serializeFirstAnswer({ id, createdAt }: Task): string {
  return JSON.stringify({ id, now: createdAt })
}

function parseFirstAnswer(first: string, task: Task): Enqueued {
  const { id, now } = JSON.parse(first) as { id: string; now: number }
  return {
    task: createTask(id, { ...task, traceparent: undefined }, { createdAt: now }),
    replayed: id !== task.id,
  }
}
