/** Wakes all waiters of an event, once each: consumers when a task is added, watchers when one is updated. */
export class Notifier {
  readonly #waiting = new Set<() => void>()
  #version = 0

  /** Grows with each notification. Read it before looking for work and pass it to `wait`: then no event is missed. */
  get version(): number {
    return this.#version
  }

  /** Wakes all current waiters. */
  notify(): void {
    this.#version++
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const wake of waiting) wake()
  }

  /**
   * Resolves at the next notification, after `timeoutMs`, or when the signal aborts, depending on which comes first.
   *
   * @param since the `version` that the caller has seen; resolves at once when there is a newer one
   */
  wait(timeoutMs: number, signal: AbortSignal, since: number): Promise<void> {
    if (signal.aborted || since !== this.#version) return Promise.resolve()
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', wake)
        this.#waiting.delete(wake)
        resolve()
      }
      const timer = setTimeout(wake, timeoutMs)
      signal.addEventListener('abort', wake)
      this.#waiting.add(wake)
    })
  }
}
