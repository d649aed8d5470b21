/**
 * The order of the listeners in a SO_REUSEPORT group, as the kernel keeps it (net/core/sock_reuseport.c): a new listener
 * is added at the end; when one is closed, the last takes its position.
 */
export class ListenerOrder<Listener> {
  readonly #listeners: Listener[] = []

  get size(): number {
    return this.#listeners.length
  }

  /** The position of a listener, or -1. */
  indexOf(listener: Listener): number {
    return this.#listeners.indexOf(listener)
  }

  add(listener: Listener): void {
    this.#listeners.push(listener)
  }

  remove(listener: Listener): void {
    const index = this.#listeners.indexOf(listener)
    if (index === -1) return
    const last = this.#listeners.pop() as Listener
    if (index < this.#listeners.length) this.#listeners[index] = last
  }
}
