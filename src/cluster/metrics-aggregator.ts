import { AggregatorRegistry } from 'prom-client'
import type { MetricsSnapshot } from './messages.ts'

/**
 * Adds up the metrics of several processes, including exited ones. The counters of an exited process stay in the sum.
 * Otherwise every replaced process would look like a counter reset, and its requests would be missing.
 */
export class MetricsAggregator {
  #exited: MetricsSnapshot = []

  /** Keeps the counters and histograms of a process that has exited. Its gauges are gone. */
  async addExited(last: MetricsSnapshot): Promise<void> {
    const lasting = last.filter(({ type }) => String(type) === 'counter' || String(type) === 'histogram')
    const sum = await aggregate([this.#exited, lasting]).getMetricsAsJSON()
    this.#exited = sum as unknown as MetricsSnapshot
  }

  /** Renders the sum of `snapshots` and of the exited processes in the text format. */
  render(snapshots: readonly MetricsSnapshot[]): Promise<string> {
    return aggregate([...snapshots, this.#exited]).metrics()
  }
}

function aggregate(snapshots: readonly MetricsSnapshot[]) {
  return AggregatorRegistry.aggregate(snapshots.map((snapshot) => [...snapshot]))
}
