import { LeaseObserver, type ObservedLease, observationIntervalMs } from './lease-observer.ts'
import { Notifier } from './notifier.ts'
import type { QueueOptions } from './queue-options.ts'

/** The transitions of a queue that depend on time alone. */
export interface TimedTasks<L extends ObservedLease = ObservedLease> {
  /**
   * Makes delayed tasks claimable that are due.
   *
   * @returns in how many ms the next one is due; undefined when there is none
   */
  promoteDue(): Promise<number | undefined>
  /** All leases that are held now. */
  readLeases(): Promise<readonly L[]>
  /** Makes the tasks of expired leases pending again, unless the leases have been renewed since they were read. */
  requeue(expired: readonly L[]): Promise<void>
}

/** The longest time between two polls for delayed tasks, in ms. */
const promoteIntervalMs = 500

/** Makes tasks claimable when their delay is over, or when their worker has died. */
export class TaskScheduler {
  readonly #stopped = new AbortController()
  readonly #delayed = new Notifier()
  readonly #onError: QueueOptions['onError']
  readonly #observer: LeaseObserver

  /** It begins at once. */
  constructor(tasks: TimedTasks, { leaseMs, onError }: Pick<QueueOptions, 'leaseMs' | 'onError'>) {
    // A call in flight at the stop may fail, because the queue closes.
    this.#onError = (error, operation) => {
      if (!this.#stopped.signal.aborted) onError(error, operation)
    }
    this.#observer = new LeaseObserver(leaseMs)
    void this.#promote(tasks)
    void this.#observeLeases(tasks, leaseMs)
  }

  /** Polls for delayed tasks now, because a new one may be the next. */
  notify(): void {
    this.#delayed.notify()
  }

  /** As `LeaseObserver.recordWrite`. */
  recordWrite(hasSucceeded: boolean): void {
    this.#observer.recordWrite(hasSucceeded)
  }

  stop(): void {
    this.#stopped.abort()
  }

  async #promote(tasks: TimedTasks): Promise<void> {
    const { signal } = this.#stopped
    while (!signal.aborted) {
      const since = this.#delayed.version
      // While the queue is unavailable, its tasks wait.
      const nextMs = await tasks.promoteDue().catch((error) => {
        this.#onError(error, 'promote delayed tasks')
        return undefined
      })
      const waitMs = Math.min(promoteIntervalMs, Math.max(1, nextMs ?? promoteIntervalMs))
      await this.#delayed.wait(waitMs, signal, since)
    }
  }

  async #observeLeases(tasks: TimedTasks, leaseMs: number): Promise<void> {
    const { signal } = this.#stopped
    const timer = new Notifier()
    while (!signal.aborted) {
      await this.#requeueExpired(tasks).catch((error) => {
        this.recordWrite(false)
        this.#onError(error, 'requeue expired leases')
      })
      await timer.wait(observationIntervalMs(leaseMs), signal, timer.version)
    }
  }

  async #requeueExpired(tasks: TimedTasks): Promise<void> {
    const expired = this.#observer.observe(await tasks.readLeases())
    if (expired.length > 0) await tasks.requeue(expired)
  }
}
