import { Notifier } from './notifier.ts'

/** The shortest time between two notifications of all watches, in ms for each of them: each one then reads its task. */
const intervalPerWatchMs = 0.05

/** Notifies the watchers of a task, and only these, of its updates. */
export class TaskUpdates {
  readonly #watches = new Map<string, Set<Notifier>>()
  #allNotifiedAt = Number.NEGATIVE_INFINITY
  #timer: ReturnType<typeof setTimeout> | undefined

  /** Creates a notifier of one task. It is notified until `unwatch`. */
  watch(id: string): { readonly updated: Notifier; unwatch(): void } {
    const updated = new Notifier()
    const watches = this.#watches.get(id) ?? new Set()
    this.#watches.set(id, watches.add(updated))
    return {
      updated,
      unwatch: () => {
        watches.delete(updated)
        if (watches.size === 0) this.#watches.delete(id)
      },
    }
  }

  /** These tasks were updated. */
  notify(ids: readonly string[]): void {
    if (this.#watches.size === 0) return
    for (const id of ids) for (const updated of this.#watches.get(id) ?? []) updated.notify()
  }

  /** Any task may have been updated. Many watches are notified less often. */
  notifyAll(): void {
    if (this.#watches.size === 0 || this.#timer !== undefined) return
    const dueAt = this.#allNotifiedAt + intervalPerWatchMs * this.#watches.size
    const waitMs = dueAt - performance.now()
    if (waitMs <= 0) this.#notifyAll()
    else this.#timer = setTimeout(() => this.#notifyAll(), waitMs).unref()
  }

  #notifyAll(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#allNotifiedAt = performance.now()
    this.notify([...this.#watches.keys()])
  }
}
