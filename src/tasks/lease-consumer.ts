import { withTimeout } from '../lifecycle/timeout.ts'
import type { Task } from './task.ts'
import {
  type ConsumeOptions,
  type Consumer,
  QueueUnavailable,
  type RunReport,
  RunTimeout,
  type TaskHandler,
  UnrecoverableTask,
} from './task-queue.ts'

/** A queue whose tasks are claimed with a lease. One lease is one run of one task. */
export interface Leases {
  /** Claims the task that has been due for longest; undefined when no task is due. */
  claim(lease: string): Promise<Task | undefined>
  /** @returns false when the lease is lost */
  renew(lease: string): Promise<boolean>
  /** @returns false when the lease is lost, and nothing was written */
  complete(lease: string, result: string): Promise<boolean>
  /** @param retryable false when another attempt would fail the same way */
  fail(lease: string, error: string, retryable: boolean): Promise<'failed' | 'retried' | 'lost'>
  /**
   * Makes the task pending again and refunds the attempt.
   *
   * @returns false when the lease is lost
   */
  release(lease: string): Promise<boolean>
  /** Grows with each notification of new tasks. */
  version(): number
  /** Resolves when there may be a task that was not there at version `since`, or when the signal aborts. */
  waitForTasks(signal: AbortSignal, since: number): Promise<void>
}

export interface LeaseConsumerOptions extends ConsumeOptions {
  /** How long a lease holds, in ms. It is renewed three times in that time. */
  readonly leaseMs: number
}

/** The wait before the next try when the queue is unavailable, in ms. */
const unavailableRetryMs = 300
/** How long releasing may take, in ms. The process is about to exit, and expired leases have the same effect. */
const releaseTimeoutMs = 2_000
/** The most characters of an error that are stored with its task. */
const maxErrorLength = 2_000

interface Run {
  readonly lease: string
  readonly task: Task
  readonly controller: AbortController
}

/** The run ended before its handler did. Whatever the handler returns later does not count. */
class RunAborted extends Error {
  override readonly name = 'RunAborted'
  constructor(
    readonly outcome: 'released' | 'lost',
    message: string,
  ) {
    super(message)
  }
}

/** Claims tasks up to its concurrency, renews their leases, and records how each run ended. */
export class LeaseConsumer implements Consumer {
  readonly #leases: Leases
  readonly #handler: TaskHandler
  readonly #options: LeaseConsumerOptions
  readonly #runs = new Set<Run>()
  readonly #paused = new AbortController()
  readonly #loops: Promise<unknown>

  constructor(leases: Leases, handler: TaskHandler, options: LeaseConsumerOptions) {
    this.#leases = leases
    this.#handler = handler
    this.#options = options
    this.#loops = Promise.all(Array.from({ length: options.concurrency }, () => this.#loop()))
  }

  get activeCount(): number {
    return this.#runs.size
  }

  pause(): void {
    this.#paused.abort()
  }

  async finish(): Promise<void> {
    this.pause()
    await this.#loops
  }

  async release(): Promise<readonly string[]> {
    this.pause()
    const deadline = performance.now() + releaseTimeoutMs
    const untilDeadline = (work: Promise<unknown>) =>
      withTimeout(work, Math.max(0, deadline - performance.now()), () => undefined)
    const runs = [...this.#runs]
    const unfinished = new Set(runs)
    // First the queue, then the handler: what the handler returns then belongs to a lease that no longer exists.
    const releases = runs.map(async (run) => {
      // Without its lease, a task has ended meanwhile or belongs to another worker.
      if (!(await this.#leases.release(run.lease))) unfinished.delete(run)
    })
    await untilDeadline(Promise.allSettled(releases))
    for (const { controller } of runs) controller.abort(new RunAborted('released', 'the worker stops'))
    // A claim in flight may still return a task, which its loop releases.
    await untilDeadline(this.#loops)
    return [...unfinished].map(({ task }) => task.id)
  }

  /** There are as many loops as tasks may run at a time. */
  async #loop(): Promise<void> {
    const { signal } = this.#paused
    while (!signal.aborted) {
      const lease = crypto.randomUUID()
      try {
        const since = this.#leases.version()
        const task = await this.#leases.claim(lease)
        if (task === undefined) await this.#leases.waitForTasks(signal, since)
        // A claim can return after the pause, and even after `release` has listed the runs.
        else if (signal.aborted) await this.#leases.release(lease)
        else await this.#run(lease, task)
      } catch {
        // The queue is unavailable. Its tasks are not lost: the leases expire, and the tasks are claimed again.
        if (!signal.aborted) await Bun.sleep(unavailableRetryMs)
      }
    }
  }

  async #run(lease: string, task: Task): Promise<void> {
    const { leaseMs, timeoutMs, onRunEnd } = this.#options
    const controller = new AbortController()
    const run: Run = { lease, task, controller }
    this.#runs.add(run)
    const heartbeat = setInterval(() => void this.#renew(run), leaseMs / 3)
    const timeout = setTimeout(() => controller.abort(new RunTimeout(timeoutMs)), timeoutMs)
    const startedAt = performance.now()
    try {
      const report = await this.#handle(run, () => clearTimeout(timeout))
      onRunEnd?.({ ...report, durationMs: performance.now() - startedAt })
    } finally {
      clearInterval(heartbeat)
      clearTimeout(timeout)
      this.#runs.delete(run)
    }
  }

  /** @param onHandled called when the handler has ended and only the outcome is left to record */
  async #handle(run: Run, onHandled: () => void): Promise<Omit<RunReport, 'durationMs'>> {
    const { lease, task, controller } = run
    const { signal } = controller
    try {
      const result = await orAbort(
        Promise.try(() => this.#handler(task, { signal })),
        signal,
      )
      onHandled()
      const recorded = await this.#record(run, () => this.#leases.complete(lease, result))
      return { task, outcome: recorded ? 'completed' : 'lost' }
    } catch (error) {
      onHandled()
      if (error instanceof QueueUnavailable) throw error
      if (error instanceof RunAborted) return { task, outcome: error.outcome, error }
      const message = (error instanceof Error ? error.message : String(error)).slice(0, maxErrorLength)
      const retryable = !(error instanceof UnrecoverableTask)
      const outcome = await this.#record(run, () => this.#leases.fail(lease, message, retryable))
      return { task, outcome, error }
    }
  }

  /** Writes how a run ended. While the queue is unavailable it tries again, until the lease must have expired. */
  async #record<T>({ controller }: Run, write: () => Promise<T>): Promise<T> {
    const deadline = performance.now() + this.#options.leaseMs
    for (;;) {
      try {
        return await write()
      } catch (error) {
        const mayHoldLease = !controller.signal.aborted && performance.now() < deadline
        if (!(error instanceof QueueUnavailable) || !mayHoldLease) throw error
      }
      await Bun.sleep(unavailableRetryMs)
    }
  }

  async #renew({ lease, controller }: Run): Promise<void> {
    // While the queue is unavailable, the lease may still hold.
    const held = await this.#leases.renew(lease).catch(() => true)
    if (!held) controller.abort(new RunAborted('lost', 'another worker has claimed the task'))
  }
}

/** The outcome of the work, or a rejection as soon as the signal aborts: a handler need not listen to it. */
function orAbort<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason))
    work.then(resolve, reject)
  })
}
