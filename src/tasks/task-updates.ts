import { Notifier } from './notifier.ts'

/** Notifies those who watch a task of its updates, and nobody else. */
export class TaskUpdates {
  readonly #watches = new Map<string, Set<Notifier>>()

  /** How many tasks are watched. */
  get size(): number {
    return this.#watches.size
  }

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

  /** @param ids the updated tasks; default: any task may have been updated */
  notify(ids: Iterable<string> = this.#watches.keys()): void {
    if (this.#watches.size === 0) return
    for (const id of ids) for (const updated of this.#watches.get(id) ?? []) updated.notify()
  }
}
