import { type Job, UnrecoverableError } from 'bullmq'
import { IDEMPOTENCY_KEPT_MS, type Idempotency, IdempotencyMismatch } from '../idempotency.ts'
import { LeaseConsumer, type Leases } from './lease-consumer.ts'
import type { QueueOptions } from './queue-options.ts'
import { deleteIfScript, findScript, listScript, touchScript, unspendScript } from './redis-scripts.ts'
import { RedisSessions, type Session } from './redis-session.ts'
import { backoffMs, newTask, type Task, type TaskStatus } from './task.ts'
import {
  type ConsumeOptions,
  type Consumer,
  type Enqueued,
  InvalidTaskCursor,
  QueueFull,
  TASKS_PAGE_CHARACTERS_MAX,
  type TaskHandler,
  TaskNotFailed,
  type TaskPage,
  type TaskPageRequest,
  type TaskQueue,
} from './task-queue.ts'
import { WakeUp } from './wake-up.ts'
import { watchTask } from './watch-task.ts'

/** The queue's name on the server; BullMQ puts `bull:` before it. */
const queueName = 'tally'
const prefix = `bull:${queueName}:`
/** Our own keys and channels, beside BullMQ's. */
const indexKey = 'tally:tasks'
const idempotencyPrefix = 'tally:idempotency:'
const cameChannel = 'tally:tasks:came'
const changedChannel = 'tally:tasks:changed'

/** A look at the server at the latest after so long, in ms, whether or not something was heard. */
const pollMs = 200
/** How often ended tasks whose time is over are deleted, in ms, and how many at most. */
const cleanUpEveryMs = 10_000
const cleanUpMax = 1_000
/** Ids of the index that one page looks at. */
const looksMax = 1_000
/** How soon a client may try again when as many tasks wait as may, in seconds. */
const fullRetryAfterSeconds = 5
/** How long the first call waits for the first connection, in ms. */
const firstConnectionMsMax = 1_000
/** BullMQ's codes for a lock that is missing, of somebody else, and for a job that is gone. */
const lostCodes: readonly unknown[] = [-1, -2, -3, -6]
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/

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

/**
 * Tasks on Redis, as BullMQ keeps them: a claim is BullMQ's lock, and its scripts write nothing for whoever has lost
 * it. Claims are made by hand (BullMQ's "manually processing jobs"), so that leases, time limits and handing back are
 * the same as on the other adapters.
 *
 * The bound on waiting tasks is looked at before a task is added, so tasks that come at the same moment may go over it
 * by as many as they are.
 */
export class RedisTaskQueue implements TaskQueue, Leases {
  readonly #sessions: RedisSessions
  readonly #options: QueueOptions
  readonly #tasksCame = new WakeUp()
  readonly #tasksChanged = new WakeUp()
  readonly #consumers = new Set<LeaseConsumer>()
  readonly #claimed = new Map<string, { job: Job; session: Session }>()
  readonly #cleaner: ReturnType<typeof setInterval>
  readonly #stalledChecker: ReturnType<typeof setInterval>
  readonly #firstConnection: Promise<void>
  #closed: Promise<void> | undefined

  constructor(url: string, options: QueueOptions) {
    this.#options = options
    this.#sessions = new RedisSessions({
      url,
      name: queueName,
      leaseMs: options.leaseMs,
      hear: {
        [cameChannel]: () => this.#tasksCame.wake(),
        [changedChannel]: () => this.#tasksChanged.wake(),
      },
      onConnected: () => {
        this.#tasksCame.wake()
        this.#tasksChanged.wake()
      },
    })
    this.#firstConnection = this.#sessions.connected(firstConnectionMsMax)
    const every = (ms: number, work: () => Promise<unknown>) => {
      const timer = setInterval(() => void work().catch(() => {}), ms)
      timer.unref()
      return timer
    }
    this.#cleaner = every(Math.min(cleanUpEveryMs, options.keptMs), () => this.#cleanUp())
    this.#stalledChecker = every(options.leaseMs / 3, () => this.#reclaim())
  }

  async enqueue(payload: string, idempotency?: Idempotency): Promise<Enqueued> {
    if (idempotency === undefined) {
      const task = newTask(Bun.randomUUIDv7(), payload, this.#options.now())
      await this.#add(task)
      return { task, replayed: false }
    }
    return await this.#addOnce(payload, idempotency)
  }

  find(id: string): Promise<Task | undefined> {
    return this.#find(id, false)
  }

  async list({ limit, status, after }: TaskPageRequest): Promise<TaskPage> {
    if (after !== undefined && !uuid.test(after)) throw new InvalidTaskCursor()
    const [next, rows, gone] = await this.#use(
      ({ client }) =>
        client.send('EVAL', [
          listScript,
          '2',
          prefix,
          indexKey,
          after ?? '',
          `${limit}`,
          status ?? '',
          `${TASKS_PAGE_CHARACTERS_MAX}`,
          `${looksMax}`,
        ]) as Promise<[string, Fields[], string[]]>,
    )
    void this.#forget(gone)
    return { tasks: rows.map(fromFields), next: next === '' ? undefined : next }
  }

  async retry(id: string): Promise<Task | undefined> {
    const task = await this.find(id)
    if (task === undefined) return undefined
    if (task.status !== 'failed') throw new TaskNotFailed(task.status)
    const now = this.#options.now()
    const retried = await this.#use(async ({ client, queue }) => {
      const job = await queue.getJob(id)
      const outcome = await job
        ?.retry('failed', { resetAttemptsMade: true, resetAttemptsStarted: true })
        .then(
          () => true,
          (error: { code?: unknown }) => {
            if (lostCodes.includes(error.code)) return false
            throw error
          },
        )
      if (outcome) await client.send('EVAL', [touchScript, '1', prefix + id, `${now}`])
      return outcome ?? false
    })
    if (!retried) throw new TaskNotFailed('pending')
    await this.#tell(cameChannel, id)
    await this.#tell(changedChannel, id)
    return { ...task, status: 'pending', attempts: 0, updatedAt: now, error: undefined }
  }

  watch(id: string, signal: AbortSignal): AsyncIterable<Task> {
    const state = async (): Promise<string | undefined> => {
      const task = await this.#find(id, true)
      return task && `${task.status} ${task.attempts} ${task.updatedAt}`
    }
    const find = () => this.find(id)
    return watchTask({ state, find, changed: this.#tasksChanged, lookEveryMs: pollMs }, signal)
  }

  depth(): Promise<number> {
    return this.#use(async ({ client }) => {
      const [waiting, delayed] = await Promise.all([
        client.send('LLEN', [`${prefix}wait`]),
        client.send('ZCARD', [`${prefix}delayed`]),
      ])
      return Number(waiting) + Number(delayed)
    })
  }

  consume(handler: TaskHandler, options: ConsumeOptions): Consumer {
    const consumer = new LeaseConsumer(this, handler, { ...options, leaseMs: this.#options.leaseMs })
    this.#consumers.add(consumer)
    return consumer
  }

  ping(): Promise<void> {
    return this.#use(async ({ client }) => {
      await client.send('PING', [])
    })
  }

  /** A Redis without AOF forgets up to everything since its last snapshot; one that evicts forgets at any time. */
  async durability() {
    const info = String(await this.#use(({ client }) => client.send('INFO', [])))
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

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    clearInterval(this.#cleaner)
    clearInterval(this.#stalledChecker)
    await Promise.all([...this.#consumers].map((consumer) => consumer.handBack()))
    await this.#sessions.close()
  }

  // Leases: what a consumer asks for.

  async claim(lease: string): Promise<Task | undefined> {
    for (;;) {
      const claimed = await this.#use(async (session) => {
        const job = (await session.worker.getNextJob(lease, { block: false })) as Job | undefined
        return job && { job, session }
      })
      if (claimed === undefined) return undefined
      const { job } = claimed
      this.#claimed.set(lease, claimed)
      if (job.attemptsStarted <= this.#options.attemptsMax) {
        void this.#tell(changedChannel, job.id as string)
        return claimedTask(job)
      }
      // A worker died in each of this task's runs, the last one included: it is the task that kills.
      await this.#use(({ client }) => client.send('HINCRBY', [prefix + job.id, 'ats', '-1']))
      await this.#write(lease, () =>
        job.moveToFailed(new UnrecoverableError('its worker died in every run'), lease, false),
      )
    }
  }

  async renew(lease: string): Promise<boolean> {
    const job = this.#claimed.get(lease)?.job
    if (job === undefined) return false
    // BullMQ's script, through the session of now and not that of the claim.
    const renewed = await this.#use(({ queue }) =>
      queue.getBackend().extendLock(job.id as string, lease, this.#options.leaseMs),
    )
    return renewed === 1
  }

  async complete(lease: string, result: string): Promise<boolean> {
    return await this.#write(lease, (job) => job.moveToCompleted(result, lease, false))
  }

  async fail(lease: string, error: string, isFinal: boolean): Promise<'failed' | 'retried' | 'lost'> {
    const claimed = this.#claimed.get(lease)
    if (claimed === undefined) return 'lost'
    const { attemptsStarted } = claimed.job
    const givenUp = isFinal || attemptsStarted >= this.#options.attemptsMax
    const failure = givenUp ? new UnrecoverableError(error) : new Error(error)
    const delay = backoffMs(attemptsStarted, this.#options.backoffFirstMs, this.#options.random())
    const written = await this.#write(lease, (job) => {
      // BullMQ decides by these: the last attempt is ours to know, for it counts only runs that failed.
      job.opts = { ...job.opts, attempts: Number.MAX_SAFE_INTEGER, backoff: { type: 'fixed', delay } }
      return job.moveToFailed(failure, lease, false)
    })
    return written ? (givenUp ? 'failed' : 'retried') : 'lost'
  }

  async handBack(lease: string): Promise<boolean> {
    const handedBack = await this.#write(lease, async (job, { client }) => {
      const unspent = await client.send('EVAL', [
        unspendScript,
        '1',
        prefix + job.id,
        lease,
        `${this.#options.now()}`,
      ])
      if (unspent !== 1) throw new LockLost()
      await job.moveToWait(lease)
    })
    await this.#tell(cameChannel, '')
    return handedBack
  }

  arrivals(): number {
    return this.#tasksCame.count
  }

  waitForTasks(signal: AbortSignal, since: number): Promise<void> {
    return this.#tasksCame.wait(pollMs, signal, since)
  }

  /** Ends a run; false when the lease is lost. */
  async #write(lease: string, write: (job: Job, session: Session) => Promise<unknown>): Promise<boolean> {
    const claimed = this.#claimed.get(lease)
    if (claimed === undefined) return false
    const written = await this.#use(async (session) => {
      // The job of the claim may hang on a connection that is gone.
      const job =
        session === claimed.session ? claimed.job : await session.queue.getJob(claimed.job.id as string)
      if (job === undefined) return false
      try {
        await write(job, session)
        return true
      } catch (error) {
        if (error instanceof LockLost || lostCodes.includes((error as { code?: unknown }).code)) return false
        throw error
      }
    })
    this.#claimed.delete(lease)
    void this.#tell(changedChannel, claimed.job.id as string)
    return written
  }

  async #use<T>(work: (session: Session) => Promise<T>): Promise<T> {
    await this.#firstConnection
    return await this.#sessions.use(work)
  }

  async #find(id: string, withoutPayload: boolean): Promise<Task | undefined> {
    if (!uuid.test(id)) {
      await this.ping()
      return undefined
    }
    const fields = await this.#use(
      ({ client }) =>
        client.send('EVAL', [findScript, '1', prefix, id, withoutPayload ? '1' : '0']) as Promise<
          Fields | null | false
        >,
    )
    return fields ? fromFields(fields) : undefined
  }

  /** @throws QueueFull */
  async #add(task: Task): Promise<void> {
    const { waitingMax } = this.#options
    if ((await this.depth()) >= waitingMax) throw new QueueFull(waitingMax, fullRetryAfterSeconds)
    await this.#use(async ({ client, queue }) => {
      // First the index: an entry without a task is left out of lists, a task without an entry would be lost to them.
      const indexed = client.send('ZADD', [indexKey, '0', task.id])
      const added = queue.add(
        'task',
        { payload: task.payload },
        { jobId: task.id, timestamp: task.createdAt },
      )
      await Promise.all([indexed, added])
    })
    void this.#tell(cameChannel, task.id)
  }

  /**
   * The key is remembered first, with the id that the task is going to have, and the task is added under that id,
   * which has an effect once. So whoever comes second, or after a crash in between, adds the same task or nothing.
   */
  async #addOnce(payload: string, { scope, key, fingerprint }: Idempotency): Promise<Enqueued> {
    const recordKey = `${idempotencyPrefix}${scope}:${key}`
    const mine: Remembered = {
      fingerprint,
      id: Bun.randomUUIDv7(),
      now: this.#options.now(),
      accepted: false,
    }
    const written = JSON.stringify(mine)
    const found = await this.#use(
      ({ client }) =>
        client.send('SET', [recordKey, written, 'NX', 'GET', 'PX', `${IDEMPOTENCY_KEPT_MS}`]) as Promise<
          string | null
        >,
    )
    const first = found === null ? mine : (JSON.parse(found) as Remembered)
    if (first.fingerprint !== fingerprint) throw new IdempotencyMismatch()
    const task = newTask(first.id, payload, first.now)
    const replayed = found !== null
    if (first.accepted) return { task, replayed }
    try {
      await this.#add(task)
    } catch (error) {
      if (error instanceof QueueFull && !replayed)
        await this.#use(({ client }) => client.send('EVAL', [deleteIfScript, '1', recordKey, written]))
      throw error
    }
    await this.#use(({ client }) =>
      client.send('SET', [recordKey, JSON.stringify({ ...first, accepted: true }), 'XX', 'KEEPTTL']),
    )
    return { task, replayed }
  }

  /** Says something to all processes, this one included. Whoever does not hear it looks again soon anyway. */
  async #tell(channel: string, message: string): Promise<void> {
    await this.#use(({ client }) => client.send('PUBLISH', [channel, message])).catch(() => {})
  }

  /** Gives tasks whose lease has run out to be claimed again. BullMQ lets one process at a time look. */
  async #reclaim(): Promise<void> {
    if (this.#consumers.size === 0) return
    const reclaimed = await this.#use(({ worker }) => worker.getBackend().moveStalledJobsToWait())
    if (reclaimed.length > 0) this.#tasksCame.wake()
  }

  async #cleanUp(): Promise<void> {
    for (const type of ['completed', 'failed'] as const)
      await this.#forget(await this.#use(({ queue }) => queue.clean(this.#options.keptMs, cleanUpMax, type)))
  }

  /** Takes ids out of the index, but those that are so new that their task may be about to be added. */
  async #forget(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return
    await this.#use(({ client }) => client.send('ZREM', [indexKey, ...ids])).catch(() => {})
  }
}

/** The lease is not ours any more. */
class LockLost extends Error {}

function claimedTask(job: Job): Task {
  return {
    id: job.id as string,
    payload: (job.data as { payload: string }).payload,
    status: 'processing',
    attempts: job.attemptsStarted,
    createdAt: job.timestamp,
    updatedAt: job.processedOn ?? job.timestamp,
    result: undefined,
    error: job.failedReason,
  }
}

function fromFields(fields: Fields): Task {
  const [id, status, data, timestamp, processedOn, finishedOn, ats, returnvalue, failedReason, changedOn] =
    fields
  return {
    id,
    payload: data === null ? '' : (JSON.parse(data) as { payload: string }).payload,
    status,
    attempts: Number(ats ?? 0),
    createdAt: Number(timestamp),
    updatedAt: Math.max(...[timestamp, processedOn, finishedOn, changedOn].map((time) => Number(time ?? 0))),
    result: status === 'completed' && returnvalue !== null ? (JSON.parse(returnvalue) as string) : undefined,
    error: status === 'completed' ? undefined : (failedReason ?? undefined),
  }
}
