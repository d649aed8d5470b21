import { type Idempotency, IdempotencyMismatch, idempotencyRetentionMs } from '../../database/idempotency.ts'
import { InvalidCursor } from '../../database/invalid-cursor.ts'
import { mapDatabaseErrors } from '../../database/map-database-errors.ts'
import { RedisConnection } from '../../database/redis/connection.ts'
import type { Script } from '../../database/redis/script.ts'
import { type BackgroundTasks, BackgroundWork } from '../background-work.ts'
import { Batcher } from '../batcher.ts'
import type { Claim, LeaseWrite, WorkerAnnouncement } from '../lease-consumer.ts'
import type { ObservedLease } from '../lease-observer.ts'
import { Notifier } from '../notifier.ts'
import { cleanupBatchSize, type QueueOptions, retryBatchSize, silentWorkerMs } from '../queue-options.ts'
import { createTask, defaultPriority, type NewTask, type Task, type TaskStatus } from '../task.ts'
import {
  type ConsumeOptions,
  type Consumer,
  type Durability,
  type Enqueued,
  maxPageCharacters,
  QueueFull,
  type QueueStats,
  QueueUnavailable,
  TaskEnded,
  type TaskHandler,
  TaskNotFailed,
  type TaskPage,
  type TaskPageRequest,
  type TaskQueue,
} from '../task-queue.ts'
import { TaskUpdates } from '../task-updates.ts'
import { watchTask } from '../watch-task.ts'
import { checkDurability } from './durability.ts'
import { Notifications } from './notifications.ts'
import { parseHash, parseStats, parseTask, parseTaskOrUndefined, type Reply, toJobData } from './reply.ts'
import * as scripts from './scripts.ts'

/** The prefix of BullMQ's keys: its own default and the queue's name. */
const prefix = 'bull:tally:'
/**
 * Our own keys; idempotency keys are beside the first. The names on the server must not change: processes of two versions
 * share them. Only in cluster mode, where no earlier version worked, do they differ.
 */
const ownKeys = ['tally:tasks', 'tally:tasks:cancelled', 'tally:tasks:workers'] as const
const [, cancelledKey, workersKey] = ownKeys
const keys = [prefix, ...ownKeys]

/** The longest time between two polls, in ms, with or without notifications. */
const pollIntervalMs = 500
/** The most ids that one call scans, because the server is blocked meanwhile, and the most calls for one page. */
const maxScannedIds = 1_000
const maxCallsPerPage = 20
/** The most calls of a batch, because the server is blocked meanwhile. */
const maxBatchTasks = 64
/** How long the first call waits for the first connection, in ms. */
const firstConnectionTimeoutMs = 1_000
/**
 * How long BullMQ's lock lasts, in ms. It never ends by itself while its task runs, because that would depend on the
 * server's clock: a lease has expired when its renewals have stopped, which LeaseObserver finds.
 */
const lockMs = 24 * 60 * 60 * 1_000
/** How far two readings of the server's clock may differ before it counts as set back, in ms. */
const clockToleranceMs = 1_000
const uuidV7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** The arguments and results of the scripts for each call of a batch. */
type EnqueueArgs = readonly string[]
type EnqueueReply = readonly [outcome: string, id: string, createdAt: number, runAt: number]
type ClaimArgs = readonly [lease: string, workerId: string]
type ClaimReply = readonly [id: string, hash: readonly string[]]

type EndArgs = readonly [id: string, lease: string, status: 'completed' | 'failed', value: string]

/** A lease as it is observed: the id of its task. Its `beat` is when BullMQ's lock would expire, which each renewal changes. */
type RedisLease = ObservedLease

/**
 * Tasks in BullMQ's layout on Redis, by BullMQ's own scripts and ours (scripts.ts). BullMQ's classes are not used: their
 * times are those of the process, and their client for Bun answers calls in flight with null when its connection ends.
 */
export class RedisTaskQueue implements TaskQueue, BackgroundTasks<RedisLease> {
  readonly added = new Notifier()
  readonly cancelled = new Notifier()
  readonly pollIntervalMs = pollIntervalMs
  readonly #updates = new TaskUpdates()
  readonly #connection: RedisConnection
  readonly #notifications: Notifications
  readonly #firstConnection: Promise<void>
  readonly #options: QueueOptions
  /** Whether the platform keeps what the server has accepted. */
  readonly #managed: boolean
  /** The ids of the tasks that run here, by lease. */
  readonly #running = new Map<string, string>()
  readonly #enqueues: Batcher<EnqueueArgs, EnqueueReply>
  readonly #claims: Batcher<ClaimArgs, ClaimReply | undefined>
  readonly #ends: Batcher<EndArgs, LeaseWrite>
  #serverTime: number | undefined
  readonly #background: BackgroundWork
  #closed: Promise<void> | undefined

  constructor({ url, managed = false }: { url: string; managed?: boolean }, options: QueueOptions) {
    this.#options = options
    this.#managed = managed
    this.#notifications = new Notifications(
      {
        added: () => this.added.notify(),
        delayed: () => this.#background.reschedule(),
        cancelled: () => this.cancelled.notify(),
        updated: (ids) => this.#updates.notify(ids),
        anyUpdated: () => this.#updates.notifyAll(),
      },
      (channel, message) => this.#connection.send('PUBLISH', [channel, message]),
      (error) => {
        if (!this.#closed) options.onError(error, 'notify')
      },
    )
    this.#connection = new RedisConnection({
      url,
      needs: { commands: [...scripts.listCommands(), 'EVALSHA', 'ZMSCORE'], keys },
      subscriptions: this.#notifications.subscriptions,
      onConnected: () => this.#notifications.notifyAll(),
    })
    const batch = { maxItems: maxBatchTasks, characters: countCharacters }
    const retention = `${idempotencyRetentionMs}`
    this.#enqueues = new Batcher(async (tasks) => {
      const args = [`${options.capacity}`, retention, ...tasks.flat()]
      return (await this.#run(scripts.enqueueScript, ...args)) as EnqueueReply[]
    }, batch)
    this.#claims = new Batcher<ClaimArgs, ClaimReply | undefined>(
      async (claims) => (await this.#run(scripts.claimScript, `${lockMs}`, ...claims.flat())) as ClaimReply[],
      batch,
    )
    this.#ends = new Batcher<EndArgs, LeaseWrite>(
      async (ends) => (await this.#run(scripts.finishScript, ...ends.flat())) as LeaseWrite[],
      batch,
    )
    this.#firstConnection = this.#connection.connected(firstConnectionTimeoutMs)
    this.#background = new BackgroundWork(this, options)
  }

  async enqueue(task: NewTask, idempotency?: Idempotency): Promise<Enqueued> {
    this.#assertOpen()
    const [outcome, id, createdAt, runAt] = await this.#enqueues.add([
      ...[Bun.randomUUIDv7(), toJobData(task), task.kind],
      `${scripts.toBullmqPriority(task.priority ?? defaultPriority)}`,
      ...[`${task.runAt ?? ''}`, `${task.delayMs ?? ''}`],
      ...[idempotency === undefined ? '' : recordName(idempotency), idempotency?.fingerprint ?? ''],
    ])
    if (outcome === 'mismatch') throw new IdempotencyMismatch()
    if (outcome === 'full') throw new QueueFull(this.#options.capacity)
    const replayed = outcome === 'replayed'
    if (!replayed) this.#notifications.publish(runAt > createdAt ? 'delayed' : 'added')
    return { task: createTask(id, task, { createdAt, runAt }), replayed }
  }

  find(id: string): Promise<Task | undefined> {
    return this.#find(id, false)
  }

  /** A page can be shorter than the limit, even empty, when few of many tasks have the status. */
  async list({ limit, status, after }: TaskPageRequest): Promise<TaskPage> {
    this.#assertOpen()
    if (after !== undefined && !uuidV7.test(after)) throw new InvalidCursor()
    const tasks: Task[] = []
    let characters = 0
    let next = after ?? ''
    for (let call = 0; call < maxCallsPerPage && tasks.length < limit; call++) {
      const charactersLeft = maxPageCharacters - characters
      if (tasks.length > 0 && charactersLeft <= 0) break
      const page = await this.#run(
        scripts.listScript,
        ...[next, `${limit - tasks.length}`, status ?? '', `${charactersLeft}`, `${maxScannedIds}`],
      )
      const [last, replies] = page as [string, Reply[]]
      const found = replies.map(parseTask)
      // The script returns at least one task, however large. This page may already have tasks.
      characters += found.reduce((sum, { payload }) => sum + payload.length, 0)
      if (tasks.length > 0 && characters > maxPageCharacters) break
      tasks.push(...found)
      next = last
      if (next === '') break
    }
    return { tasks, next: next === '' ? undefined : next }
  }

  async retry(id: string): Promise<Task | undefined> {
    if (!(await this.#mayExist(id))) return undefined
    const reply = (await this.#run(scripts.retryScript, id)) as [TaskStatus, Reply] | null
    if (reply === null) return undefined
    const [before, task] = reply
    if (before !== 'failed') throw new TaskNotFailed(before)
    this.#notifications.publish('added')
    this.#notifications.publishUpdated([id])
    return parseTask(task)
  }

  async retryFailed(limit = Number.MAX_SAFE_INTEGER): Promise<number> {
    this.#assertOpen()
    let retried = 0
    for (;;) {
      const batch = Math.min(retryBatchSize, limit - retried)
      const changed = Number(await this.#run(scripts.retryFailedScript, `${batch}`))
      retried += changed
      if (changed > 0) this.#notifications.publish('added')
      if (changed < batch || retried >= limit) return retried
    }
  }

  async cancel(id: string): Promise<Task | undefined> {
    if (!(await this.#mayExist(id))) return undefined
    const task = parseTaskOrUndefined(await this.#run(scripts.cancelScript, id))
    if (task === undefined) return undefined
    if (task.status !== 'cancelled') throw new TaskEnded(task.status)
    this.#notifications.publish('cancelled')
    this.#notifications.publishUpdated([id])
    return task
  }

  async *watch(id: string, signal: AbortSignal): AsyncIterable<Task> {
    const readState = async (): Promise<string | undefined> => {
      const task = await this.#find(id, true)
      return task && `${task.status} ${task.attempts} ${task.updatedAt}`
    }
    const { updated, unwatch } = this.#updates.watch(id)
    try {
      yield* watchTask({ readState, find: () => this.find(id), updated, pollIntervalMs }, signal)
    } finally {
      unwatch()
    }
  }

  async depth(): Promise<number> {
    this.#assertOpen()
    return Number(await this.#run(scripts.depthScript))
  }

  async stats(): Promise<QueueStats> {
    this.#assertOpen()
    const reply = await this.#run(scripts.statsScript, `${silentWorkerMs(this.#options)}`)
    return parseStats(reply)
  }

  async setPaused(paused: boolean): Promise<void> {
    this.#assertOpen()
    await this.#run(scripts.pauseScript, paused ? 'paused' : 'resumed')
    this.#notifications.publish('added')
  }

  consume(handler: TaskHandler, options: ConsumeOptions): Consumer {
    return this.#background.consume(handler, options)
  }

  async ping(): Promise<void> {
    this.#assertOpen()
    await this.#firstConnection
    await mapDatabaseErrors(QueueUnavailable, () => this.#connection.assertWritable())
  }

  async durability(): Promise<Durability> {
    this.#assertOpen()
    await this.#firstConnection
    return await mapDatabaseErrors(QueueUnavailable, () =>
      checkDurability((command, args) => this.#connection.send(command, args), this.#managed),
    )
  }

  close(): Promise<void> {
    this.#closed ??= this.#background.stop().then(() => this.#connection.close())
    return this.#closed
  }

  // Leases: the side of the consumers.

  async claim(lease: string, workerId: string): Promise<Claim | undefined> {
    const reply = await this.#claims.add([lease, workerId])
    if (reply === undefined) return undefined
    const [id, hash] = reply
    this.#running.set(lease, id)
    this.#notifications.publishUpdated([id])
    return parseHash(id, hash)
  }

  async renew(lease: string): Promise<LeaseWrite> {
    const id = this.#running.get(lease)
    if (id === undefined) return 'lost'
    return (await this.#run(scripts.renewScript, id, lease, `${lockMs}`)) as LeaseWrite
  }

  async complete(lease: string, result: string): Promise<LeaseWrite> {
    return await this.#end(lease, (id) => this.#ends.add([id, lease, 'completed', JSON.stringify(result)]))
  }

  async fail(
    lease: string,
    error: string,
    retryInMs: number | undefined,
    isRefunded = false,
  ): Promise<LeaseWrite> {
    if (retryInMs === undefined)
      return await this.#end(lease, (id) => this.#ends.add([id, lease, 'failed', error]))
    const write = await this.#end(lease, (id) =>
      this.#run(scripts.retryLaterScript, id, lease, error, `${retryInMs}`, isRefunded ? '1' : '0'),
    )
    this.#background.reschedule()
    return write
  }

  async release(lease: string): Promise<LeaseWrite> {
    const write = await this.#end(lease, (id) => this.#run(scripts.releaseScript, id, lease))
    this.#notifications.publish('added')
    return write
  }

  async findCancelled(leases: readonly string[]): Promise<readonly string[]> {
    const ids = leases.map((lease) => this.#running.get(lease) ?? '')
    const scores = (await this.#sendWithKey('ZMSCORE', cancelledKey, ids)) as (number | null)[]
    return leases.filter((_, n) => scores[n] !== null)
  }

  async heartbeat({ id, ...announcement }: WorkerAnnouncement): Promise<void> {
    await this.#run(scripts.heartbeatScript, id, JSON.stringify(announcement))
  }

  async leave(workerId: string): Promise<void> {
    await this.#sendWithKey('HDEL', workersKey, [workerId])
  }

  forget(lease: string): void {
    this.#running.delete(lease)
  }

  // TimedTasks: the side of the scheduler.

  async promoteDue(): Promise<number | undefined> {
    const reply = await this.#run(scripts.promoteScript)
    const [time, promoted, next] = reply as [number, number, number | null]
    if (promoted > 0) this.#notifications.publish('added')
    // The clock may have been set back even before the first poll.
    const isSetBack = time < (this.#serverTime ?? Number.POSITIVE_INFINITY) - clockToleranceMs
    if (isSetBack) await this.#restartDelays()
    this.#serverTime = time
    return promoted > 0 || isSetBack ? 0 : (next ?? undefined)
  }

  async readLeases(): Promise<readonly RedisLease[]> {
    const reply = (await this.#run(scripts.leasesScript)) as [string, number][]
    return reply.map(([lease, beat]) => ({ lease, beat }))
  }

  async requeue(expired: readonly RedisLease[]): Promise<void> {
    const leases = expired.flatMap(({ lease, beat }) => [lease, `${beat}`])
    await this.#run(scripts.requeueScript, `${this.#options.maxAttempts}`, ...leases)
    this.#notifications.publishUpdated(expired.map(({ lease }) => lease))
    this.#notifications.publish('added')
  }

  // The cleanup of BackgroundWork.

  async deleteEnded(): Promise<void> {
    const args = [`${this.#options.retentionMs}`, `${cleanupBatchSize}`]
    while ((await this.#run(scripts.deleteEndedScript, ...args)) === 1);
  }

  async #restartDelays(): Promise<void> {
    for (let skipped = 0; ; ) {
      const args = [`${clockToleranceMs}`, `${skipped}`, `${maxScannedIds}`]
      const [looked, left] = (await this.#run(scripts.restartDelaysScript, ...args)) as [number, number]
      if (looked < maxScannedIds) return
      skipped += left
    }
  }

  /** Writes the end of a run. */
  async #end(lease: string, write: (id: string) => Promise<unknown>): Promise<LeaseWrite> {
    const id = this.#running.get(lease)
    if (id === undefined) return 'lost'
    const outcome = (await write(id)) as LeaseWrite
    this.#running.delete(lease)
    this.#notifications.publishUpdated([id])
    return outcome
  }

  async #find(id: string, withoutPayload: boolean): Promise<Task | undefined> {
    if (!(await this.#mayExist(id))) return undefined
    return parseTaskOrUndefined(await this.#run(scripts.findScript, id, withoutPayload ? '1' : '0'))
  }

  /** Whether an id may be one of a task. Other keys of the queue must not be read as tasks. */
  async #mayExist(id: string): Promise<boolean> {
    this.#assertOpen()
    if (uuidV7.test(id)) return true
    await this.ping()
    return false
  }

  /** Checked by calls of the port only, so that a consumer can still finish while the queue closes. */
  #assertOpen(): void {
    if (this.#closed) throw new QueueUnavailable(1, { cause: 'the queue is closed' })
  }

  async #run(script: Script, ...args: string[]): Promise<unknown> {
    await this.#firstConnection
    return await mapDatabaseErrors(QueueUnavailable, () => this.#connection.run(script, keys, args))
  }

  async #sendWithKey(command: string, key: string, args: readonly string[]): Promise<unknown> {
    await this.#firstConnection
    return await mapDatabaseErrors(QueueUnavailable, () => this.#connection.sendWithKey(command, key, args))
  }
}

function countCharacters(args: readonly string[]): number {
  return args.reduce((sum, { length }) => sum + length, 0)
}

/** The colon ends the scope, so it cannot be a part of it. */
function recordName({ scope, key }: Idempotency): string {
  return `${scope.replace(/[%:]/g, encodeURIComponent)}:${key}`
}
