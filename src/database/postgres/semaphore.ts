import { DatabaseUnavailable } from '../errors.ts'

/**
 * So many calls at a time, so many waiting, so long. With as many slots as connections, a call that has one finds its
 * connection free, and a time limit that starts then measures the server and not the queue.
 */
export class Slots {
  #free: number
  readonly #slots: number
  readonly #waiting: { enter: () => void }[] = []
  readonly #whenIdle: (() => void)[] = []

  constructor(
    slots: number,
    private readonly waitingMax: number,
    private readonly waitMsMax: number,
  ) {
    this.#slots = slots
    this.#free = slots
  }

  /**
   * Runs `work` in a slot, in order of arrival.
   *
   * @throws DatabaseUnavailable (busy) when `waitingMax` wait already, or none got free within `waitMsMax`
   */
  async use<T>(work: () => Promise<T>): Promise<T> {
    await this.#enter()
    try {
      return await work()
    } finally {
      this.#leave()
    }
  }

  /** Resolves when no call is running or waiting. */
  idle(): Promise<void> {
    if (this.#free === this.#slots) return Promise.resolve()
    return new Promise((resolve) => this.#whenIdle.push(resolve))
  }

  #enter(): Promise<void> | void {
    if (this.#free > 0) {
      this.#free -= 1
      return
    }
    if (this.#waiting.length >= this.waitingMax) {
      throw new DatabaseUnavailable('busy', `${this.waitingMax} calls are waiting for the database already`)
    }
    return new Promise((resolve, reject) => {
      const waiter = {
        enter: () => {
          clearTimeout(timer)
          resolve()
        },
      }
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1)
        reject(
          new DatabaseUnavailable('busy', `no connection to the database got free in ${this.waitMsMax} ms`),
        )
      }, this.waitMsMax)
      this.#waiting.push(waiter)
    })
  }

  /** The slot goes to whoever waits longest, without being free in between. */
  #leave(): void {
    const next = this.#waiting.shift()
    if (next) next.enter()
    else this.#free += 1
    if (this.#free === this.#slots) for (const idle of this.#whenIdle.splice(0)) idle()
  }
}
