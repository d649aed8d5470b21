import { DatabaseUnavailable } from '../errors.ts'

/**
 * Limits how many calls run at a time, how many wait, and for how long. With as many permits as connections, a call
 * that has a permit finds a free connection, so a time limit that starts then measures the server and not the queue.
 */
export class Semaphore {
  #free: number
  readonly #permits: number
  readonly #waiting: { resume: () => void }[] = []
  readonly #onIdle: (() => void)[] = []

  /** @param timeoutMs the longest time that a call waits for a permit */
  constructor(
    permits: number,
    private readonly maxWaiting: number,
    private readonly timeoutMs: number,
  ) {
    this.#permits = permits
    this.#free = permits
  }

  /**
   * Runs `work` with a permit, in order of arrival.
   *
   * @throws DatabaseUnavailable (busy) when `maxWaiting` calls are waiting, or no permit is free within `timeoutMs`
   */
  async run<T>(work: () => Promise<T>): Promise<T> {
    await this.#acquire()
    try {
      return await work()
    } finally {
      this.#release()
    }
  }

  /** Resolves when no call is running or waiting. */
  idle(): Promise<void> {
    if (this.#free === this.#permits) return Promise.resolve()
    return new Promise((resolve) => this.#onIdle.push(resolve))
  }

  #acquire(): Promise<void> | void {
    if (this.#free > 0) {
      this.#free -= 1
      return
    }
    if (this.#waiting.length >= this.maxWaiting)
      throw new DatabaseUnavailable('busy', `${this.maxWaiting} calls are already waiting for the database`)
    return new Promise((resolve, reject) => {
      const waiter = {
        resume: () => {
          clearTimeout(timer)
          resolve()
        },
      }
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1)
        reject(
          new DatabaseUnavailable(
            'busy',
            `no connection to the database was free within ${this.timeoutMs} ms`,
          ),
        )
      }, this.timeoutMs)
      this.#waiting.push(waiter)
    })
  }

  /** Passes the permit to the call that has waited longest; it is never free in between. */
  #release(): void {
    const next = this.#waiting.shift()
    if (next) next.resume()
    else this.#free += 1
    if (this.#free === this.#permits) for (const idle of this.#onIdle.splice(0)) idle()
  }
}
