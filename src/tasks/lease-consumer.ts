import { withTimeout } from '../lifecycle/timeout.ts'
import { Notifier } from './notifier.ts'
import { heartbeatIntervalMs, heartbeatsPerLease, type QueueOptions } from './queue-options.ts'
import { computeBackoffMs, computePostponeMs, type Task } from './task.ts'
import {
  type ConsumeOptions,
  type Consumer,
  QueueUnavailable,
  type RunReport,
  RunTimeout,
  type TaskHandler,
  TaskPostponed,
  UnrecoverableTask,
} from './task-queue.ts'

/** A claimed task. */
export interface Claim {
  readonly task: Task
  /** How long the task was due before, in ms, by the queue's clock. */
  readonly waitMs: number
}

/**
 * The outcome of a write under a lease. Only `written` changed something. `lost`: the lease has expired. `cancelled`:
 * the task was cancelled.
 */
export type LeaseWrite = 'written' | 'lost' | 'cancelled'

/** How a consumer announces itself. */
export interface WorkerAnnouncement {
  /** Unique among all consumers. */
  readonly id: string
  readonly name: string
  readonly version: string
  readonly concurrency: number
}

/** A queue whose tasks are claimed with a lease. One lease is one run of one task. */
export interface Leases {
  /**
   * Claims a task that is due: the highest priority first, then the one that has been due for longest.
   *
   * @returns undefined when no task is due, or the queue is paused
   */
  claim(lease: string, workerId: string): Promise<Claim | undefined>
  /** Renews the lease: the worker is alive. */
  renew(lease: string): Promise<LeaseWrite>
  complete(lease: string, result: string): Promise<LeaseWrite>
  /**
   * @param retryInMs the wait before the next attempt; undefined when the task has failed permanently
   * @param isRefunded whether the attempt does not count; default false
   */
  fail(lease: string, error: string, retryInMs: number | undefined, isRefunded?: boolean): Promise<LeaseWrite>
  /** Makes the task pending again, due at once, and refunds the attempt. */
  release(lease: string): Promise<LeaseWrite>
  /** Those of the leases whose tasks were cancelled. */
  findCancelled(leases: readonly string[]): Promise<readonly string[]>
  /** Announces a worker, and renews its announcement. */
  heartbeat(worker: WorkerAnnouncement): Promise<void>
  /** Withdraws the announcement of a worker that has ended. */
  leave(workerId: string): Promise<void>
  /** Drops this process's state of a lease, because its run has ended. */
  forget?(lease: string): void
  /** Notified when there may be a task to claim. */
  readonly added: Notifier
  /** Notified when a running task may have been cancelled. */
  readonly cancelled: Notifier
  /** How often a consumer polls for tasks without a notification, in ms. */
  readonly pollIntervalMs: number
}

/** A lease is renewed three times in `leaseMs`. A worker announces itself as often. */
export type LeaseConsumerOptions = ConsumeOptions &
  Pick<QueueOptions, 'leaseMs' | 'maxAttempts' | 'initialBackoffMs' | 'now' | 'random' | 'onError'> & {
    /** Called after each attempt to announce the worker. */
    readonly onAnnounced?: (hasSucceeded: boolean) => void
  }

/** The delay before the next attempt when the queue is unavailable, in ms. */
const unavailableRetryMs = 300
/** How long releasing may take, in ms. The process is about to exit, and expired leases have the same effect. */
const releaseTimeoutMs = 2_000
/** The most characters of an error that are stored with its task. */
const maxErrorLength = 2_000

interface Run extends Claim {
  readonly lease: string
  readonly controller: AbortController
  /** Renewals that succeeded without a failed one between them. */
  renewals: number
}

/** How a handler ended. */
type Handled = { readonly result: string } | { readonly error: unknown }

/** The run ended before its handler did. A later result of the handler is ignored. */
class RunAborted extends Error {
  override readonly name = 'RunAborted'
  constructor(
    readonly outcome: 'released' | 'lost' | 'cancelled',
    message: string,
  ) {
    super(message)
  }
}

/** The reason that ends a run whose lease no longer holds. */
const leaseEnds = {
  lost: 'another worker has claimed the task',
  cancelled: 'the task was cancelled',
} as const

/** Claims tasks up to its concurrency, renews their leases, and records how each run ended. */
export class LeaseConsumer implements Consumer {
  readonly #leases: Leases
  readonly #handler: TaskHandler
  readonly #options: LeaseConsumerOptions
  readonly #worker: WorkerAnnouncement
  readonly #runs = new Set<Run>()
  readonly #paused = new AbortController()
  readonly #ended = new AbortController()
  readonly #loops: Promise<unknown>
  readonly #announcing: Promise<void>
  #claimError: unknown

  constructor(leases: Leases, handler: TaskHandler, options: LeaseConsumerOptions) {
    const { concurrency, worker = { name: '', version: '' } } = options
    this.#leases = leases
    this.#handler = handler
    this.#options = options
    this.#worker = { id: crypto.randomUUID(), name: worker.name, version: worker.version, concurrency }
    this.#loops = Promise.all(Array.from({ length: concurrency }, () => this.#loop()))
    this.#announcing = this.#announce()
    void this.#watchCancellations()
  }

  get activeCount(): number {
    return this.#runs.size
  }

  get claimError(): unknown {
    return this.#claimError
  }

  pause(): void {
    this.#paused.abort()
  }

  async finish(): Promise<void> {
    this.pause()
    await this.#loops
    await this.#leave()
  }

  async release(): Promise<readonly string[]> {
    this.pause()
    const deadline = performance.now() + releaseTimeoutMs
    const untilDeadline = (work: Promise<unknown>) =>
      withTimeout(work, Math.max(0, deadline - performance.now()), () => undefined)
    const runs = [...this.#runs]
    const unfinished = new Set(runs)
    // First the queue, then the handler, so that the handler's result belongs to a lease that no longer exists.
    const releases = runs.map(async (run) => {
      // Without its lease, a task has ended meanwhile or belongs to another worker.
      if ((await this.#leases.release(run.lease)) !== 'written') unfinished.delete(run)
    })
    await untilDeadline(Promise.allSettled(releases))
    for (const { controller } of runs) controller.abort(new RunAborted('released', 'the worker stops'))
    // A claim in flight may still return a task, which its loop releases.
    await untilDeadline(this.#loops)
    await untilDeadline(this.#leave())
    return [...unfinished].map(({ task }) => task.id)
  }

  /**
   * There are as many loops as tasks may run at a time. A loop claims its next task while it records the outcome of the
   * last one, so that an adapter can do both at once.
   */
  async #loop(): Promise<void> {
    const { added, cancelled, pollIntervalMs } = this.#leases
    const { signal } = this.#paused
    let recorded: Promise<void> | undefined
    while (!signal.aborted) {
      const lease = crypto.randomUUID()
      try {
        const since = added.version
        const cancelledSince = cancelled.version
        const claim = await this.#leases.claim(lease, this.#worker.id)
        this.#claimError = undefined
        if (claim === undefined) await added.wait(pollIntervalMs, signal, since)
        // A claim can return after the pause, and even after `release` has listed the runs.
        else if (signal.aborted) await this.#leases.release(lease)
        else {
          const ended = await this.#run(
            { ...claim, lease, controller: new AbortController(), renewals: 0 },
            cancelledSince,
          )
          // One outcome at a time is unrecorded, however long the queue is unavailable.
          await recorded
          recorded = ended.recorded
        }
      } catch (error) {
        // The queue is unavailable. Its tasks are not lost: the leases expire, and the tasks are claimed again.
        if (signal.aborted) break
        this.#claimError = error
        this.#options.onError(error, 'claim')
        await Bun.sleep(unavailableRetryMs)
      }
    }
    await recorded
  }

  /**
   * Resolves when the handler has ended, while its outcome is being recorded.
   *
   * @param cancelledSince the notifications of cancelled tasks before the claim
   */
  async #run(run: Run, cancelledSince: number): Promise<{ readonly recorded: Promise<void> }> {
    const { controller, task } = run
    const timeoutMs = this.#findTimeout(task)
    const { signal } = controller
    this.#runs.add(run)
    const heartbeat = setInterval(() => void this.#renew(run), heartbeatIntervalMs(this.#options))
    const timeout = setTimeout(() => controller.abort(new RunTimeout(timeoutMs)), timeoutMs)
    const startedAt = performance.now()
    // Between the claim and now, the notification found no run to abort.
    if (this.#leases.cancelled.version !== cancelledSince) void this.#abortCancelled()
    const handled: Handled = await orAbort(
      Promise.try(() => this.#handler(task, { signal })),
      signal,
    ).then(
      (result) => ({ result }),
      (error) => ({ error }),
    )
    clearTimeout(timeout)
    const recorded = this.#recordOutcome(run, handled, startedAt).finally(() => {
      clearInterval(heartbeat)
      this.#runs.delete(run)
      this.#leases.forget?.(run.lease)
    })
    // The queue is unavailable, and the lease has expired meanwhile.
    return { recorded: recorded.catch((error) => this.#options.onError(error, 'record the outcome')) }
  }

  async #recordOutcome(run: Run, handled: Handled, startedAt: number): Promise<void> {
    const { task, waitMs } = run
    const outcome = await this.#record(run, handled)
    const error = 'error' in handled && { error: handled.error }
    this.#options.onRunEnd?.({ task, outcome, waitMs, durationMs: performance.now() - startedAt, ...error })
  }

  async #record(run: Run, handled: Handled): Promise<RunReport['outcome']> {
    const { lease, task } = run
    if ('result' in handled) {
      const write = await this.#write(run, () => this.#leases.complete(lease, handled.result))
      return write === 'written' ? 'completed' : write
    }
    const { error } = handled
    if (error instanceof RunAborted) return error.outcome
    const message = (error instanceof Error ? error.message : String(error)).slice(0, maxErrorLength)
    const retryInMs = this.#computeRetry(task, error)
    const isPostponed = error instanceof TaskPostponed
    const write = await this.#write(run, () => this.#leases.fail(lease, message, retryInMs, isPostponed))
    if (write !== 'written') return write
    if (isPostponed) return 'postponed'
    return retryInMs === undefined ? 'failed' : 'retried'
  }

  #findTimeout(task: Task): number {
    const { timeoutMs } = this.#options
    return typeof timeoutMs === 'number' ? timeoutMs : timeoutMs(task)
  }

  /** The wait before the next attempt; undefined when there is none. */
  #computeRetry({ attempts, runAt }: Task, error: unknown): number | undefined {
    const { maxAttempts, initialBackoffMs, now, random } = this.#options
    if (error instanceof TaskPostponed) return computePostponeMs(now() - runAt, initialBackoffMs, random())
    if (error instanceof UnrecoverableTask || attempts >= maxAttempts) return undefined
    return computeBackoffMs(attempts, initialBackoffMs, random())
  }

  /**
   * Writes how a run ended. While the queue is unavailable it tries again, however long that lasts: no lease expires
   * meanwhile, so a renewal shows whether this run still holds its own.
   */
  async #write<T>(run: Run, write: () => Promise<T>): Promise<T> {
    run.renewals = 0
    for (;;) {
      try {
        return await write()
      } catch (error) {
        // After more renewals in a row, the queue takes everything but this outcome.
        const mayTryAgain = !run.controller.signal.aborted && run.renewals <= heartbeatsPerLease
        if (!(error instanceof QueueUnavailable) || !mayTryAgain) throw error
      }
      await Bun.sleep(unavailableRetryMs)
    }
  }

  async #renew(run: Run): Promise<void> {
    try {
      const write = await this.#leases.renew(run.lease)
      run.renewals++
      if (write !== 'written') run.controller.abort(new RunAborted(write, leaseEnds[write]))
    } catch (error) {
      // While the queue is unavailable, the lease may still hold.
      run.renewals = 0
      this.#options.onError(error, 'renew')
    }
  }

  /** Announces this worker at every heartbeat, until it has ended. */
  async #announce(): Promise<void> {
    const { signal } = this.#ended
    const timer = new Notifier()
    while (!signal.aborted) {
      await this.#leases.heartbeat(this.#worker).then(
        () => this.#options.onAnnounced?.(true),
        (error) => {
          this.#options.onAnnounced?.(false)
          if (!signal.aborted) this.#options.onError(error, 'announce the worker')
        },
      )
      await timer.wait(heartbeatIntervalMs(this.#options), signal, timer.version)
    }
  }

  /** Aborts the runs of cancelled tasks, until this worker has ended. */
  async #watchCancellations(): Promise<void> {
    const { cancelled } = this.#leases
    const { signal } = this.#ended
    while (!signal.aborted) {
      const since = cancelled.version
      await this.#abortCancelled()
      // Without a notification the next renewal shows it.
      await cancelled.wait(heartbeatIntervalMs(this.#options), signal, since)
    }
  }

  async #abortCancelled(): Promise<void> {
    if (this.#runs.size === 0) return
    const leases = [...this.#runs].map(({ lease }) => lease)
    const ended = new Set(
      await this.#leases.findCancelled(leases).catch((error) => {
        this.#options.onError(error, 'find cancelled tasks')
        return []
      }),
    )
    for (const { lease, controller } of this.#runs)
      if (ended.has(lease)) controller.abort(new RunAborted('cancelled', leaseEnds.cancelled))
  }

  async #leave(): Promise<void> {
    if (this.#ended.signal.aborted) return
    this.#ended.abort()
    // A heartbeat in flight would announce it again.
    await this.#announcing
    // When this fails, the announcement expires.
    await this.#leases.leave(this.#worker.id).catch(() => {})
  }
}

/** The outcome of the work, or a rejection as soon as the signal aborts: a handler need not listen to it. */
function orAbort<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason))
    work.then(resolve, reject)
  })
}
