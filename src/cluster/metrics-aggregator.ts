import { AggregatorRegistry } from 'prom-client'
import type { MetricsSnapshot } from './messages.ts'
import { Mutex } from './mutex.ts'

/**
 * Adds up the metrics of several processes, including exited ones. The counters of an exited process stay in the sum.
 * Otherwise every replaced process would look like a counter reset, and its requests would be missing.
 */
export class MetricsAggregator<Process extends WeakKey> {
  /** The latest known metrics of each process. */
  readonly #latest = new Map<Process, MetricsSnapshot>()
  readonly #added = new WeakSet<Process>()
  readonly #mutex = new Mutex()
  #exited: MetricsSnapshot = []

  /** Keeps the latest metrics of a process. Those that arrive after its end has been added are ignored. */
  update(process: Process, snapshot: MetricsSnapshot): void {
    if (!this.#added.has(process)) this.#latest.set(process, snapshot)
  }

  /** Adds the counters and histograms of a process to those of the exited ones. Its gauges are gone. */
  addExited(process: Process): Promise<void> {
    // One after the other: each sum begins with the one before.
    return this.#mutex.runExclusive(async () => {
      const last = this.#latest.get(process) ?? []
      const lasting = last.filter(({ type }) => String(type) === 'counter' || String(type) === 'histogram')
      const sum = await aggregate([this.#exited, lasting]).getMetricsAsJSON()
      // Together, so that no scrape counts the process twice or not at all.
      this.#exited = sum as unknown as MetricsSnapshot
      this.#latest.delete(process)
      this.#added.add(process)
    })
  }

  /**
   * Renders the sum of all processes in the text format.
   *
   * @param own the metrics of this process itself
   */
  render(own: MetricsSnapshot = []): Promise<string> {
    return aggregate([own, ...this.#latest.values(), this.#exited]).metrics()
  }
}

function aggregate(snapshots: readonly MetricsSnapshot[]) {
  return AggregatorRegistry.aggregate(snapshots.map((snapshot) => [...snapshot]))
}
