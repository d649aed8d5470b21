import type { Task } from './task.ts'
import {
  type ConsumeOptions,
  type Consumer,
  type RunReport,
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
  fail(lease: string, task: Task, error: string, isFinal: boolean): Promise<'failed' | 'retried' | 'lost'>
  /** @returns false when the lease is lost */
  handBack(lease: string): Promise<boolean>
  /** Resolves when there may be a task to claim, or the signal aborts. */
  waitForTasks(signal: AbortSignal): Promise<void>
}

export interface LeaseConsumerOptions extends ConsumeOptions {
  /** How long a lease holds, in ms. It is renewed three times in that time. */
  readonly leaseMs: number
}

/** How long to wait when the queue is away, in ms. */
const awayMs = 500
/** Characters of an error that are kept with its task. */
const errorLengthMax = 2_000

interface Run {
  readonly lease: string
  readonly task: Task
  readonly controller: AbortController
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

  pause(): void {
    this.#paused.abort()
  }

  async finish(): Promise<void> {
    this.pause()
    await this.#loops
  }

  async handBack(): Promise<readonly string[]> {
    this.pause()
    const runs = [...this.#runs]
    // First the queue, then the handler: whatever the handler still says comes under a lease that is gone.
    const handedBack = await Promise.allSettled(runs.map(({ lease }) => this.#leases.handBack(lease)))
    for (const { controller } of runs) controller.abort(new Error('the worker stops'))
    return runs.filter((_, i) => handedBack[i]?.status === 'fulfilled').map(({ task }) => task.id)
  }

  /** One of as many loops as tasks may run at a time. */
  async #loop(): Promise<void> {
    const { signal } = this.#paused
    while (!signal.aborted) {
      const lease = crypto.randomUUID()
      try {
        const task = await this.#leases.claim(lease)
        if (task === undefined) await this.#leases.waitForTasks(signal)
        else await this.#run(lease, task)
      } catch {
        // The queue is away. What it has is not lost: the lease runs out, and the task is claimed again.
        await Bun.sleep(awayMs)
      }
    }
  }

  async #run(lease: string, task: Task): Promise<void> {
    const controller = new AbortController()
    const run: Run = { lease, task, controller }
    this.#runs.add(run)
    const heartbeat = setInterval(() => void this.#renew(run), this.#options.leaseMs / 3)
    const startedAt = performance.now()
    try {
      const report = await this.#handle(run)
      this.#options.onRun?.({ ...report, durationMs: performance.now() - startedAt })
    } finally {
      clearInterval(heartbeat)
      this.#runs.delete(run)
    }
  }

  async #handle({ lease, task, controller }: Run): Promise<Omit<RunReport, 'durationMs'>> {
    let result: string
    try {
      result = await aborting(this.#handler(task, { signal: controller.signal }), controller.signal)
    } catch (error) {
      if (controller.signal.aborted) return { task, outcome: 'handed-back', error }
      const message = (error instanceof Error ? error.message : String(error)).slice(0, errorLengthMax)
      const outcome = await this.#leases.fail(lease, task, message, error instanceof UnrecoverableTask)
      return { task, outcome, error }
    }
    return { task, outcome: (await this.#leases.complete(lease, result)) ? 'completed' : 'lost' }
  }

  async #renew({ lease, controller }: Run): Promise<void> {
    const held = await this.#leases.renew(lease).catch(() => true)
    if (!held) controller.abort(new Error('another worker has the task now'))
  }
}

/** The work's outcome, or a rejection as soon as the signal aborts: a handler need not listen. */
function aborting<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason))
    work.then(resolve, reject)
  })
}
