import type { Job } from 'bullmq'
import type { SQL, TransactionSQL } from 'bun'
import type { Idempotency } from '../../database/idempotency.ts'
import { mapDatabaseErrors } from '../../database/map-database-errors.ts'
import { PostgresIdempotencyKeys } from '../../database/postgres/idempotency-keys.ts'
import type { PostgresPool } from '../../database/postgres/pool.ts'
import {
  type Bull,
  type BullmqBackend,
  jobData,
  maxStalledCount,
  queueName,
  stalledIntervalMs,
  type TaskNotifiers,
} from '../bullmq/backend.ts'
import type { QueueOptions } from '../queue-options.ts'
import { newTask, type Task, type TaskStatus } from '../task.ts'
import {
  type Enqueued,
  maxPageCharacters,
  QueueFull,
  QueueUnavailable,
  type TaskPage,
  type TaskPageRequest,
} from '../task-queue.ts'
import { PostgresConnection } from './connection.ts'

/** How long a count of the waiting tasks is good for, in ms: counting a long queue takes milliseconds. */
const countedMsMax = 500
/** With so much room left a task is added without a look: that many are not accepted while a count is good. */
const roomyMin = 20_000
/** One number each in PostgreSQL's space of advisory locks: for the last places in the queue, and for looking at leases. */
const roomLock = 0x74_61_6c_6c_79_01
const reclaimLock = 0x74_61_6c_6c_79_02

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

const statesOf = {
  pending: ['waiting', 'delayed'],
  processing: ['active'],
  completed: ['completed'],
  failed: ['failed'],
} as const satisfies Record<TaskStatus, Row['state'][]>

/**
 * BullMQ in PostgreSQL, in its own schema beside the documents. BullMQ's JavaScript claims and records; what it does not
 * do, or not in one transaction, are statements on its tables, and calls of its functions, through the pool of the
 * documents: they have that pool's limits, and can be in one transaction with an idempotency key.
 *
 * BullMQ takes the time for its locks from the process. Here leases are renewed and looked at by the server's clock,
 * so that a host whose clock is wrong does not take other workers' tasks. `progress`, which BullMQ leaves to its users,
 * is when a task changed otherwise than by being run.
 */
export class PostgresBackend implements BullmqBackend {
  readonly #pool: PostgresPool
  readonly #options: QueueOptions
  readonly #heard: TaskNotifiers
  readonly #session: PostgresConnection
  readonly #idempotencyKeys = new PostgresIdempotencyKeys()
  #counted = { waiting: 0, at: Number.NEGATIVE_INFINITY }
  #counting: Promise<number> | undefined

  constructor(url: string, pool: PostgresPool, options: QueueOptions, heard: TaskNotifiers) {
    this.#pool = pool
    this.#options = options
    this.#heard = heard
    this.#session = new PostgresConnection({
      url,
      leaseMs: options.leaseMs,
      hear: { bullmq_jobs: () => heard.tasksCame.wake(), bullmq_events: () => heard.tasksChanged.wake() },
      onListening: () => {
        heard.tasksCame.wake()
        heard.tasksChanged.wake()
      },
    })
  }

  use<T>(work: (bull: Bull) => Promise<T>): Promise<T> {
    return this.#session.use(work)
  }

  async enqueue(wanted: Task, idempotency: Idempotency | undefined): Promise<Enqueued> {
    const roomy = (await this.#room()) >= roomyMin
    // Both recognize their own first attempt, whose confirmation was lost: by the id of the task.
    const enqueued = await this.#run(async (sql) => {
      if (idempotency === undefined && roomy) return await this.#add(sql, wanted)
      return await sql.begin(async (transaction) => {
        const first =
          idempotency &&
          (await this.#idempotencyKeys.claim(transaction, idempotency, remembered(wanted), wanted.createdAt))
        if (first !== undefined) return answerOf(first, wanted)
        if (!roomy) await this.#takePlace(transaction)
        return await this.#add(transaction, wanted)
      })
    }, true)
    this.#counted.waiting += enqueued.replayed ? 0 : 1
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
    // One row more than the page tells whether there is a next one.
    const rows = await this.#run(
      async (sql) =>
        await sql<(Row & { found: number })[]>`
        select * from (
          select *, count(*) over ()::int as found, row_number() over downwards as place,
            sum(octet_length(payload)) over downwards as bytes
          from (select ${columns(sql)} from bullmq.job
            where queue = ${queueName} ${after === undefined ? sql`` : sql`and id < ${after}`}
              ${status === undefined ? sql`` : sql`and state::text = any(${sql.array([...statesOf[status]], 'TEXT')})`}
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
    return this.#run(waiting, true)
  }

  async ping(): Promise<void> {
    await this.#run((sql) => sql`select 1`, true)
  }

  /** A server can be told to confirm what is not on its disk yet. */
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
    const unspent = await this.#run(
      (sql) => sql`
        update bullmq.job set attempts_started = attempts_started - 1
        where queue = ${queueName} and id = ${id} and state = 'active' and lock_token = ${lease}`,
      false,
    )
    return unspent.count > 0
  }

  /** BullMQ's own `moveToWait` does not say whether the lock held. */
  async release(job: Job, lease: string): Promise<boolean> {
    const handedBack = await this.#run(
      async (sql) =>
        await sql<unknown[]>`
        with handed_back as (
          update bullmq.job set state = 'waiting', attempts_started = attempts_started - 1,
            lock_token = null, locked_until_ms = null, progress = to_jsonb(${this.#options.now()}::bigint)
          where queue = ${queueName} and id = ${job.id as string} and state = 'active' and lock_token = ${lease}
          returning id)
        select pg_notify('bullmq_jobs', ${queueName}), pg_notify('bullmq_events', ${queueName}) from handed_back`,
      false,
    )
    return handedBack.length > 0
  }

  /** A lease that is seen for the first time holds from now on: its end may be by another host's clock. */
  async reclaim(): Promise<number> {
    const { leaseMs } = this.#options
    return await this.#run(
      (sql) =>
        sql.begin(async (transaction) => {
          const [mine] = await transaction<{ locked: boolean }[]>`
            select pg_try_advisory_xact_lock(${reclaimLock}) as locked`
          if (!mine?.locked) return 0
          await transaction`
            update bullmq.job set locked_until_ms = ${clock(transaction)} + ${leaseMs}
            where queue = ${queueName} and state = 'active' and not stalled_marked`
          const reclaimed = await transaction<unknown[]>`
            select bullmq.move_stalled_jobs_to_wait(
              ${queueName}, ${maxStalledCount}, ${clock(transaction)}, ${stalledIntervalMs(leaseMs)})`
          return reclaimed.length
        }),
      false,
    )
  }

  async touch(id: string, now: number): Promise<void> {
    await this.#run(
      (sql) => sql`
        update bullmq.job set progress = to_jsonb(${now}::bigint) where queue = ${queueName} and id = ${id}`,
      true,
    )
  }

  /** BullMQ's functions notify all processes by themselves; this one need not wait for that. */
  async tell(what: 'came' | 'changed'): Promise<void> {
    const { tasksCame, tasksChanged } = this.#heard
    if (what === 'came') tasksCame.wake()
    else tasksChanged.wake()
  }

  /** There is no index beside the tasks. */
  async forget(): Promise<void> {}

  /** The pool of the documents belongs to whoever opened it. */
  close(): Promise<void> {
    return this.#session.close()
  }

  /** @param repeatable as PostgresPool.run */
  async #run<T>(work: (sql: SQL) => Promise<T>, repeatable: boolean): Promise<T> {
    await this.#session.ready()
    return await mapDatabaseErrors(QueueUnavailable, () => this.#pool.run(work, repeatable))
  }

  /** An id that is there already is left as it is. */
  async #add(sql: SQL | TransactionSQL, task: Task): Promise<Enqueued> {
    await sql`
      select bullmq.add_job(${queueName}, ${task.id}, 'task',
        ${JSON.stringify(jobData(task))}::text::jsonb, '{}'::jsonb, 0, 0, ${task.createdAt}, 1,
        null, null, null, null, null, false)`
    return { task, replayed: false }
  }

  /** How many more tasks may wait, by a count that is not old. Those that come at the same moment share it. */
  async #room(): Promise<number> {
    if (performance.now() - this.#counted.at >= countedMsMax) {
      this.#counting ??= this.depth().finally(() => {
        this.#counting = undefined
      })
      this.#counted = { waiting: await this.#counting, at: performance.now() }
    }
    return this.#options.capacity - this.#counted.waiting
  }

  /** One transaction after the other counts, so that all together do not take more places than there are. */
  async #takePlace(transaction: TransactionSQL): Promise<void> {
    const { capacity } = this.#options
    await transaction`select pg_advisory_xact_lock(${roomLock})`
    this.#counted = { waiting: await waiting(transaction), at: performance.now() }
    if (this.#counted.waiting >= capacity) throw new QueueFull(capacity)
  }
}

/** The server's clock, in milliseconds since the epoch. */
function clock(sql: SQL | TransactionSQL) {
  return sql`(extract(epoch from clock_timestamp()) * 1000)::bigint`
}

async function waiting(sql: SQL | TransactionSQL): Promise<number> {
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
    (statesOf[each] as readonly string[]).includes(state),
  )
  return {
    id,
    payload,
    status: status ?? 'pending',
    attempts,
    createdAt: Number(added),
    updatedAt: Number(changed),
    result: status === 'completed' ? (result ?? undefined) : undefined,
    error: status === 'completed' ? undefined : (error ?? undefined),
  }
}

/** What is kept under a task's idempotency key, and the answer that is made of it. */
function remembered({ id, createdAt }: Task): string {
  return JSON.stringify({ id, now: createdAt })
}

function answerOf(first: string, wanted: Task): Enqueued {
  const { id, now } = JSON.parse(first) as { id: string; now: number }
  return { task: newTask(id, wanted.payload, now), replayed: id !== wanted.id }
}
