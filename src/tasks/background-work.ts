import { LeaseConsumer, type Leases } from './lease-consumer.ts'
import type { ObservedLease } from './lease-observer.ts'
import { cleanupIntervalMs, type QueueOptions } from './queue-options.ts'
import type { ConsumeOptions, Consumer, TaskHandler } from './task-queue.ts'
import { TaskScheduler, type TimedTasks } from './task-scheduler.ts'

/** The side of a queue that its background work calls. */
export interface BackgroundTasks<L extends ObservedLease = ObservedLease> extends Leases, TimedTasks<L> {
  /** Deletes the tasks that ended before the retention time. */
  deleteEnded(): Promise<void>
}

/**
 * Everything that a queue does in this process without being called: its consumers run tasks, its scheduler makes tasks
 * claimable, and from time to time ended tasks are deleted.
 */
export class BackgroundWork {
  readonly #tasks: BackgroundTasks
  readonly #options: QueueOptions
  readonly #consumers = new Set<Consumer>()
  readonly #cleanup: ReturnType<typeof setInterval>
  #scheduler: TaskScheduler | undefined
  #isStopped = false

  /** The cleanup begins at once, the scheduler with the first consumer. */
  constructor(tasks: BackgroundTasks, options: QueueOptions) {
    this.#tasks = tasks
    this.#options = options
    this.#cleanup = setInterval(() => void this.#deleteEnded(), cleanupIntervalMs(options))
    this.#cleanup.unref()
  }

  /** As TaskQueue.consume. */
  consume(handler: TaskHandler, options: ConsumeOptions): Consumer {
    // Only where tasks run: a process without consumers has no use for it.
    this.#scheduler ??= new TaskScheduler(this.#tasks, this.#options)
    const scheduler = this.#scheduler
    const consumer = new LeaseConsumer(this.#tasks, handler, {
      ...this.#options,
      ...options,
      onAnnounced: (hasSucceeded) => scheduler.recordWrite(hasSucceeded),
    })
    this.#consumers.add(consumer)
    return consumer
  }

  /** Polls for delayed tasks now, because a new one may be the next. */
  reschedule(): void {
    this.#scheduler?.notify()
  }

  /** Ends all of it, and releases the running tasks. Resolves soon, even when the queue is unavailable. */
  async stop(): Promise<void> {
    this.#isStopped = true
    clearInterval(this.#cleanup)
    this.#scheduler?.stop()
    await Promise.all([...this.#consumers].map((consumer) => consumer.release()))
  }

  async #deleteEnded(): Promise<void> {
    try {
      await this.#tasks.deleteEnded()
    } catch (error) {
      // A call in flight at the stop may fail, because the queue closes.
      if (!this.#isStopped) this.#options.onError(error, 'delete ended tasks')
    }
  }
}
