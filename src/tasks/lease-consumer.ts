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
  /** Claims the task that is due for longest; undefined when none is. */
  claim(lease: string): Promise<Task | undefined>
  /** @returns false when the lease is lost */
  renew(lease: string): Promise<boolean>
  /** @returns false when the lease is lost, and nothing was written */
  complete(lease: string, result: string): Promise<boolean>
  /** @param isFinal that no further run would help */
  fail(lease: string, error: string, isFinal: boolean): Promise<'failed' | 'retried' | 'lost'>
  /** @returns false when the lease is lost */
  release(lease: string): Promise<boolean>
  /** How often tasks were heard to come. */
  arrivals(): number
  /** Resolves when there may be a task to claim that was not there at `since` arrivals, or the signal aborts. */
  waitForTasks(signal: AbortSignal, since: number): Promise<void>
}

export interface LeaseConsumerOptions extends ConsumeOptions {
  /** How long a lease holds, in ms. It is renewed three times in that time. */
  readonly leaseMs: number
}

/** How long to wait before the next try when the queue is away, in ms. */
const awayMs = 300
/** How long handing back may take, in ms: the process is about to end, and the lease does it too. */
const handBackMsMax = 2_000
/** Characters of an error that are kept with its task. */
const errorLengthMax = 2_000

interface Run {
  readonly lease: string
  readonly task: Task
  readonly controller: AbortController
}

/** The run was ended for the queue's sake: whatever the handler still says does not count. */
class Abandoned extends Error {
  override readonly name = 'Abandoned'
  constructor(
    readonly outcome: 'released' | 'lost',
    message: string,
  ) {
    super(message)
  }
}

/** Claims tasks as they come, as many at a time as it may, renews their leases, and records how each run ended. */
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
    const runs = [...this.#runs]
    // First the queue, then the handler: whatever the handler still says comes under a lease that is gone.
    const unfinished = new Set(runs)
    const attempts = runs.map(async (run) => {
      // Without its lease a task has ended meanwhile, or is somebody else's.
      if (!(await this.#leases.release(run.lease))) unfinished.delete(run)
    })
    const late = Bun.sleep(handBackMsMax)
    await Promise.race([Promise.allSettled(attempts), late])
    for (const { controller } of runs) controller.abort(new Abandoned('released', 'the worker stops'))
    // A claim that was under way may bring one more task, which its loop hands back.
    await Promise.race([this.#loops, late])
    return [...unfinished].map(({ task }) => task.id)
  }

  /** One of as many loops as tasks may run at a time. */
  async #loop(): Promise<void> {
    const { signal } = this.#paused
    while (!signal.aborted) {
      const lease = crypto.randomUUID()
      try {
        const since = this.#leases.arrivals()
        const task = await this.#leases.claim(lease)
        if (task === undefined) await this.#leases.waitForTasks(signal, since)
        // A claim can come back after the pause, and even after release has looked at what there is.
        else if (signal.aborted) await this.#leases.release(lease)
        else await this.#run(lease, task)
      } catch {
        // The queue is away. What it has is not lost: the lease runs out, and the task is claimed again.
        if (!signal.aborted) await Bun.sleep(awayMs)
      }
    }
  }

  async #run(lease: string, task: Task): Promise<void> {
    const { leaseMs, timeoutMs, onRunEnd } = this.#options
    const controller = new AbortController()
    const run: Run = { lease, task, controller }
    this.#runs.add(run)
    const heartbeat = setInterval(() => void this.#renew(run), leaseMs / 3)
    const limit = setTimeout(() => controller.abort(new RunTimeout(timeoutMs)), timeoutMs)
    const startedAt = performance.now()
    try {
      const report = await this.#handle(run, () => clearTimeout(limit))
      onRunEnd?.({ ...report, durationMs: performance.now() - startedAt })
    } finally {
      clearInterval(heartbeat)
      clearTimeout(limit)
      this.#runs.delete(run)
    }
  }

  /** @param handled called when the handler has ended and only the recording is left */
  async #handle(run: Run, handled: () => void): Promise<Omit<RunReport, 'durationMs'>> {
    const { lease, task, controller } = run
    const { signal } = controller
    try {
      const result = await orAbort(
        Promise.try(() => this.#handler(task, { signal })),
        signal,
      )
      handled()
      const recorded = await this.#record(run, () => this.#leases.complete(lease, result))
      return { task, outcome: recorded ? 'completed' : 'lost' }
    } catch (error) {
      handled()
      if (error instanceof QueueUnavailable) throw error
      if (error instanceof Abandoned) return { task, outcome: error.outcome, error }
      const message = (error instanceof Error ? error.message : String(error)).slice(0, errorLengthMax)
      const isFinal = error instanceof UnrecoverableTask
      return {
        task,
        outcome: await this.#record(run, () => this.#leases.fail(lease, message, isFinal)),
        error,
      }
    }
  }

  /** Writes how a run ended. While the queue is away it is tried again, until the lease must have run out. */
  async #record<T>({ controller }: Run, write: () => Promise<T>): Promise<T> {
    const deadline = performance.now() + this.#options.leaseMs
    for (;;) {
      try {
        return await write()
      } catch (error) {
        const mayHold = !controller.signal.aborted && performance.now() < deadline
        if (!(error instanceof QueueUnavailable) || !mayHold) throw error
      }
      await Bun.sleep(awayMs)
    }
  }

  async #renew({ lease, controller }: Run): Promise<void> {
    // While the queue is away nothing is known; the lease may still hold.
    const held = await this.#leases.renew(lease).catch(() => true)
    if (!held) controller.abort(new Abandoned('lost', 'another worker has the task now'))
  }
}

/** The work's outcome, or a rejection with the signal's reason as soon as it aborts: a handler need not listen. */
function orAbort<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason))
    work.then(resolve, reject)
  })
}
