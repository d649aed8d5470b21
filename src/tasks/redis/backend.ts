import type { Job } from 'bullmq'
import { type Idempotency, IdempotencyMismatch, idempotencyRetentionMs } from '../../database/idempotency.ts'
import {
  type BullmqBackend,
  type BullmqClient,
  createJobData,
  type JobData,
  queueName,
  type TaskEvent,
  type TaskNotifiers,
} from '../bullmq/backend.ts'
import type { QueueOptions } from '../queue-options.ts'
import { createTask, defaultPriority, type Task, type TaskStatus } from '../task.ts'
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

/** The prefix of BullMQ's keys. */
const prefix = `bull:${queueName}:`
/** Our own keys and channels. Their names on the server must not change: processes of two versions share them. */
const indexKey = 'tally:tasks'
const reservedKey = 'tally:tasks:admitted'
const idempotencyPrefix = 'tally:idempotency:'
const channels = { added: 'tally:tasks:came', updated: 'tally:tasks:changed' } as const

/** The most ids that one call scans, because the server serves nobody else meanwhile, and the most calls for one page. */
const maxScannedIds = 1_000
const maxCallsPerPage = 20
/** How long a place is reserved for a task that is being added, in seconds. Longer than a call may take. */
const reservationSeconds = 10
/** How long the first call waits for the first connection, in ms. */
const firstConnectionTimeoutMs = 1_000

/** The use of an idempotency key. It is saved before the task, and marked when the task is accepted. */
interface IdempotencyRecord {
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

/** BullMQ on Redis, by its own scripts and those of scripts.ts. Leases follow the server's clock. */
export class RedisBackend implements BullmqBackend {
  readonly #connection: RedisConnection
  readonly #options: QueueOptions
  readonly #firstConnection: Promise<void>

  constructor(url: string, options: QueueOptions, { added, updated }: TaskNotifiers) {
    this.#options = options
    this.#connection = new RedisConnection({
      url,
      leaseMs: options.leaseMs,
      subscriptions: { [channels.added]: () => added.notify(), [channels.updated]: () => updated.notify() },
      onConnected: () => {
        added.notify()
        updated.notify()
      },
    })
    this.#firstConnection = this.#connection.connected(firstConnectionTimeoutMs)
  }

  use<T>(work: (client: BullmqClient) => Promise<T>): Promise<T> {
    return this.#use(work)
  }

  /**
   * Saves the key first, with the id of the task, and then adds the task under that id, which has an effect only once.
   * So a second request, or a repetition after a crash in between, adds the same task or nothing.
   */
  async enqueue(task: Task, idempotency: Idempotency | undefined): Promise<Enqueued> {
    if (idempotency === undefined) {
      await this.#add(task)
      return { task, replayed: false }
    }
    const { scope, key, fingerprint } = idempotency
    const recordKey = `${idempotencyPrefix}${scope}:${key}`
    const own: IdempotencyRecord = { fingerprint, id: task.id, now: task.createdAt, accepted: false }
    const saved = JSON.stringify(own)
    const unlessExists = ['NX', 'GET', 'PX', `${idempotencyRetentionMs}`]
    const found = (await this.#send('SET', [recordKey, saved, ...unlessExists])) as string | null
    const first = found === null ? own : (JSON.parse(found) as IdempotencyRecord)
    if (first.fingerprint !== fingerprint) throw new IdempotencyMismatch()
    const firstTask = createTask(first.id, task, { createdAt: first.now })
    const replayed = found !== null
    if (first.accepted) return { task: firstTask, replayed }
    try {
      await this.#add(firstTask)
    } catch (error) {
      if (error instanceof QueueFull && !replayed)
        await this.#send('EVAL', [deleteIfEqualScript, '1', recordKey, saved])
      throw error
    }
    await this.#send('SET', [recordKey, JSON.stringify({ ...first, accepted: true }), 'XX', 'KEEPTTL'])
    return { task: firstTask, replayed }
  }

  async find(id: string, withoutPayload: boolean): Promise<Task | undefined> {
    const found = await this.#send('EVAL', [findScript, '1', prefix, id, withoutPayload ? '1' : '0'])
    return found ? fromFields(found as Fields) : undefined
  }

  /** A page can be shorter than the limit, even empty, when few of many tasks have the status. */
  async list({ limit, status, after = '' }: TaskPageRequest): Promise<TaskPage> {
    const tasks: Task[] = []
    let characters = 0
    let next = after
    for (let call = 0; call < maxCallsPerPage && tasks.length < limit; call++) {
      const charactersLeft = maxPageCharacters - characters
      if (tasks.length > 0 && charactersLeft <= 0) break
      const [last, rows, missing] = (await this.#send('EVAL', [
        listScript,
        '2',
        prefix,
        indexKey,
        next,
        `${limit - tasks.length}`,
        status ?? '',
        `${charactersLeft}`,
        `${maxScannedIds}`,
      ])) as [string, Fields[], string[]]
      void this.removeFromIndex(missing)
      const found = rows.map(fromFields)
      // The script returns at least one task, however large. This page may already have tasks.
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

  /** Redis without AOF loses everything since its last snapshot, and Redis with eviction loses tasks at any time. */
  async durability() {
    const info = String(await this.#send('INFO', []))
    const value = (name: string): string | undefined => new RegExp(`^${name}:(.*?)\r?$`, 'm').exec(info)?.[1]
    if (value('aof_enabled') !== '1')
      return { durable: false, reason: 'Redis does not persist accepted tasks (appendonly is off)' } as const
    const policy = value('maxmemory_policy')
    if (value('maxmemory') !== '0' && policy !== 'noeviction')
      return {
        durable: false,
        reason: `Redis evicts tasks when it is full (maxmemory-policy is ${policy})`,
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

  requeueExpired(): Promise<number> {
    return this.#use(async ({ worker }) => (await worker.getBackend().moveStalledJobsToWait()).length)
  }

  async setUpdatedAt(id: string, now: number): Promise<void> {
    await this.#send('EVAL', [setUpdatedAtScript, '1', prefix + id, `${now}`])
  }

  async publish(event: TaskEvent): Promise<void> {
    await this.#send('PUBLISH', [channels[event], ''])
  }

  async removeFromIndex(ids: readonly string[]): Promise<void> {
    if (ids.length > 0) await this.#send('ZREM', [indexKey, ...ids]).catch(() => {})
  }

  close(): Promise<void> {
    return this.#connection.close()
  }

  /** @throws QueueFull */
  async #add(task: Task): Promise<void> {
    const { capacity } = this.#options
    const reserved = await this.#send('EVAL', [
      reserveScript,
      '3',
      prefix,
      indexKey,
      reservedKey,
      task.id,
      `${capacity}`,
      `${reservationSeconds}`,
    ])
    if (reserved !== 1) throw new QueueFull(capacity)
    await this.#use(({ queue }) =>
      queue.add('task', createJobData(task), { jobId: task.id, timestamp: task.createdAt }),
    )
  }

  #send(command: string, values: string[]): Promise<unknown> {
    return this.#use(({ client }) => client.send(command, values))
  }

  async #use<T>(work: (session: Session) => Promise<T>): Promise<T> {
    await this.#firstConnection
    return await this.#connection.use(work)
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
    kind: 'analysis',
    priority: defaultPriority,
    runAt: Number(timestamp),
    createdAt: Number(timestamp),
    updatedAt: Math.max(...[timestamp, processedOn, finishedOn, changedOn].map((time) => Number(time ?? 0))),
    result: status === 'completed' && returnvalue !== null ? (JSON.parse(returnvalue) as string) : undefined,
    error: status === 'completed' ? undefined : (failedReason ?? undefined),
  }
}
