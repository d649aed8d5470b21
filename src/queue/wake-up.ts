/**
 * Wakes who waits for something to happen, once each: the consumers of a queue when a task comes, the
 * watchers of a task when it changes.
 */
export class WakeUp {
  readonly #waiting = new Set<() => void>()

  /** Wakes everybody who waits now. */
  wake(): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const resolve of waiting) resolve()
  }

  /** Resolves when woken, after `ms` milliseconds, or when the signal aborts, whichever comes first. */
  wait(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted || ms <= 0) return Promise.resolve()
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', done)
        this.#waiting.delete(done)
        resolve()
      }
      const timer = setTimeout(done, ms)
      signal?.addEventListener('abort', done)
      this.#waiting.add(done)
    })
  }
}
