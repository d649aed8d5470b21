/**
 * Wakes who waits for something to happen, once each: the consumers of a queue when a task comes, the
 * watchers of a task when it changes.
 */
export class Notifier {
  readonly #waiting = new Set<() => void>()
  #count = 0

  /** How often it was woken so far: what `wait` takes, so that nothing is missed between a look and the wait. */
  get count(): number {
    return this.#count
  }

  /** Wakes everybody who waits now. */
  wake(): void {
    this.#count++
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const resolve of waiting) resolve()
  }

  /**
   * Resolves when woken, after `ms` milliseconds, or when the signal aborts, whichever comes first.
   *
   * @param since the `count` when the caller last looked; resolves at once when it was woken after that
   */
  wait(ms: number, signal: AbortSignal, since: number): Promise<void> {
    if (signal.aborted || since !== this.#count) return Promise.resolve()
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', done)
        this.#waiting.delete(done)
        resolve()
      }
      const timer = setTimeout(done, ms)
      signal.addEventListener('abort', done)
      this.#waiting.add(done)
    })
  }
}
