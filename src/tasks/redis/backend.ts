import type { Job } from 'bullmq'
import { type Idempotency, IdempotencyMismatch, idempotencyRetentionMs } from '../../database/idempotency.ts'
import {
  type Bull,
  type BullmqBackend,
  type JobData,
  jobData,
  queueName,
  type TaskNotifiers,
} from '../bullmq/backend.ts'
import type { QueueOptions } from '../queue-options.ts'
import { newTask, type Task, type TaskStatus } from '../task.ts'
import {
  type Enqueued,
  maxPageCharacters,
  QueueFull,
  type TaskPage,
  type TaskPageRequest,
} from '../task-queue.ts'
import { RedisConnection, type Session } from './connection.ts'
import {
  deleteIfEqualScript,
  findScript,
  listScript,
  refundAttemptScript,
  reserveScript,
  setUpdatedAtScript,
} from './scripts.ts'

/** BullMQ puts `bull:` before the queue's name. */
const prefix = `bull:${queueName}:`
/** Our own keys and channels, beside BullMQ's. */
const indexKey = 'tally:tasks'
const admittedKey = 'tally:tasks:admitted'
const idempotencyPrefix = 'tally:idempotency:'
const channels = { came: 'tally:tasks:came', changed: 'tally:tasks:changed' } as const

/** Ids of the index that one call looks at, for the server answers nobody else meanwhile, and calls for one page. */
const looksMax = 1_000
const callsMax = 20
/** How long a place among those that wait is kept for a task that is being added, in seconds: longer than a call may take. */
const admittedSeconds = 10
/** How long the first call waits for the first connection, in ms. */
const firstConnectionMsMax = 1_000

/** What a key was used for. It is kept before the task is, and marked when the task is accepted. */
interface Remembered {
  readonly fingerprint: string
  readonly id: string
  readonly now: number
  readonly accepted: boolean
}

type Fields = readonly [
  id: string,
  status: TaskStatus,
  data: string | null,
  timestamp: string,
  processedOn: string | null,
  finishedOn: string | null,
  ats: string | null,
  returnvalue: string | null,
  failedReason: string | null,
  changedOn: string | null,
]

/** BullMQ on Redis: its own scripts, and beside them those of redis-scripts.ts. Leases go by the server's clock. */
export class RedisBackend implements BullmqBackend {
  readonly #sessions: RedisConnection
  readonly #options: QueueOptions
  readonly #firstConnection: Promise<void>

  constructor(url: string, options: QueueOptions, { tasksCame, tasksChanged }: TaskNotifiers) {
    this.#options = options
    this.#sessions = new RedisConnection({
      url,
      leaseMs: options.leaseMs,
      hear: { [channels.came]: () => tasksCame.wake(), [channels.changed]: () => tasksChanged.wake() },
      onConnected: () => {
        tasksCame.wake()
        tasksChanged.wake()
      },
    })
    this.#firstConnection = this.#sessions.connected(firstConnectionMsMax)
  }

  use<T>(work: (bull: Bull) => Promise<T>): Promise<T> {
    return this.#use(work)
  }

  /**
   * The key is remembered first, with the id that the task is going to have, and the task is added under that id,
   * which has an effect once. So whoever comes second, or after a crash in between, adds the same task or nothing.
   */
  async enqueue(wanted: Task, idempotency: Idempotency | undefined): Promise<Enqueued> {
    if (idempotency === undefined) {
      await this.#add(wanted)
      return { task: wanted, replayed: false }
    }
    const { scope, key, fingerprint } = idempotency
    const recordKey = `${idempotencyPrefix}${scope}:${key}`
    const mine: Remembered = { fingerprint, id: wanted.id, now: wanted.createdAt, accepted: false }
    const written = JSON.stringify(mine)
    const kept = ['NX', 'GET', 'PX', `${idempotencyRetentionMs}`]
    const found = (await this.#send('SET', [recordKey, written, ...kept])) as string | null
    const first = found === null ? mine : (JSON.parse(found) as Remembered)
    if (first.fingerprint !== fingerprint) throw new IdempotencyMismatch()
    const task = newTask(first.id, wanted.payload, first.now, wanted.traceparent)
    const replayed = found !== null
    if (first.accepted) return { task, replayed }
    try {
      await this.#add(task)
    } catch (error) {
      if (error instanceof QueueFull && !replayed)
        await this.#send('EVAL', [deleteIfEqualScript, '1', recordKey, written])
      throw error
    }
    await this.#send('SET', [recordKey, JSON.stringify({ ...first, accepted: true }), 'XX', 'KEEPTTL'])
    return { task, replayed }
  }

  async find(id: string, withoutPayload: boolean): Promise<Task | undefined> {
    const found = await this.#send('EVAL', [findScript, '1', prefix, id, withoutPayload ? '1' : '0'])
    return found ? fromFields(found as Fields) : undefined
  }

  /** A page can be shorter than asked for, also empty, when few of many tasks have the status. */
  async list({ limit, status, after = '' }: TaskPageRequest): Promise<TaskPage> {
    const tasks: Task[] = []
    let characters = 0
    let next = after
    for (let call = 0; call < callsMax && tasks.length < limit; call++) {
      const charactersLeft = maxPageCharacters - characters
      if (tasks.length > 0 && charactersLeft <= 0) break
      const [last, rows, gone] = (await this.#send('EVAL', [
        listScript,
        '2',
        prefix,
        indexKey,
        next,
        `${limit - tasks.length}`,
        status ?? '',
        `${charactersLeft}`,
        `${looksMax}`,
      ])) as [string, Fields[], string[]]
      void this.forget(gone)
      const found = rows.map(fromFields)
      // The script gives at least one task, however large; this page has had its own.
      characters += found.reduce((sum, { payload }) => sum + payload.length, 0)
      if (tasks.length > 0 && characters > maxPageCharacters) break
      tasks.push(...found)
      next = last
      if (next === '') break
    }
    return { tasks, next: next === '' ? undefined : next }
  }

  async depth(): Promise<number> {
    const [waiting, delayed] = await Promise.all([
      this.#send('LLEN', [`${prefix}wait`]),
      this.#send('ZCARD', [`${prefix}delayed`]),
    ])
    return Number(waiting) + Number(delayed)
  }

  async ping(): Promise<void> {
    await this.#send('PING', [])
  }

  /** A Redis without AOF forgets up to everything since its last snapshot; one that evicts forgets at any time. */
  async durability() {
    const info = String(await this.#send('INFO', []))
    const value = (name: string): string | undefined => new RegExp(`^${name}:(.*?)\r?$`, 'm').exec(info)?.[1]
    if (value('aof_enabled') !== '1')
      return { durable: false, reason: 'Redis does not persist what it accepts (appendonly is off)' } as const
    const policy = value('maxmemory_policy')
    if (value('maxmemory') !== '0' && policy !== 'noeviction')
      return {
        durable: false,
        reason: `Redis evicts when it is full (maxmemory-policy is ${policy})`,
      } as const
    return { durable: true } as const
  }

  renew(id: string, lease: string): Promise<boolean> {
    return this.#use(async ({ queue }) => {
      return (await queue.getBackend().extendLock(id, lease, this.#options.leaseMs)) === 1
    })
  }

  async refundAttempt(id: string, lease: string): Promise<boolean> {
    return (
      (await this.#send('EVAL', [refundAttemptScript, '1', prefix + id, lease, `${this.#options.now()}`])) ===
      1
    )
  }

  async release(job: Job, lease: string): Promise<boolean> {
    if (!(await this.refundAttempt(job.id as string, lease))) return false
    await job.moveToWait(lease)
    return true
  }

  reclaim(): Promise<number> {
    return this.#use(async ({ worker }) => (await worker.getBackend().moveStalledJobsToWait()).length)
  }

  async touch(id: string, now: number): Promise<void> {
    await this.#send('EVAL', [setUpdatedAtScript, '1', prefix + id, `${now}`])
  }

  async tell(what: keyof typeof channels): Promise<void> {
    await this.#send('PUBLISH', [channels[what], ''])
  }

  /** Takes ids out of the index. */
  async forget(ids: readonly string[]): Promise<void> {
    if (ids.length > 0) await this.#send('ZREM', [indexKey, ...ids]).catch(() => {})
  }

  close(): Promise<void> {
    return this.#sessions.close()
  }

  /** @throws QueueFull */
  async #add(task: Task): Promise<void> {
    const { capacity } = this.#options
    const admitted = await this.#send('EVAL', [
      reserveScript,
      '3',
      prefix,
      indexKey,
      admittedKey,
      task.id,
      `${capacity}`,
      `${admittedSeconds}`,
    ])
    if (admitted !== 1) throw new QueueFull(capacity)
    await this.#use(({ queue }) =>
      queue.add('task', jobData(task), { jobId: task.id, timestamp: task.createdAt }),
    )
  }

  #send(command: string, values: string[]): Promise<unknown> {
    return this.#use(({ client }) => client.send(command, values))
  }

  async #use<T>(work: (session: Session) => Promise<T>): Promise<T> {
    await this.#firstConnection
    return await this.#sessions.use(work)
  }
}

function fromFields(fields: Fields): Task {
  const [id, status, data, timestamp, processedOn, finishedOn, ats, returnvalue, failedReason, changedOn] =
    fields
  return {
    id,
    payload: data === null ? '' : (JSON.parse(data) as JobData).payload,
    status,
    attempts: Number(ats ?? 0),
    createdAt: Number(timestamp),
    updatedAt: Math.max(...[timestamp, processedOn, finishedOn, changedOn].map((time) => Number(time ?? 0))),
    result: status === 'completed' && returnvalue !== null ? (JSON.parse(returnvalue) as string) : undefined,
    error: status === 'completed' ? undefined : (failedReason ?? undefined),
  }
}
