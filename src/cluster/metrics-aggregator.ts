import { AggregatorRegistry } from 'prom-client'
import type { Snapshot } from './messages.ts'

/**
 * The metrics of several processes as if they were one, also of those that are gone: a counter of a
 * process that was replaced goes on counting in the sum, or every replacement would look like a restart
 * and its requests would be missing from it.
 */
export class MetricsSum {
  #retired: Snapshot = []

  /** Keeps what a process that is gone has counted. What it measured (gauges) is gone with it. */
  async retire(last: Snapshot): Promise<void> {
    const lasting = last.filter(({ type }) => String(type) === 'counter' || String(type) === 'histogram')
    const sum = await aggregate([this.#retired, lasting]).getMetricsAsJSON()
    this.#retired = sum as unknown as Snapshot
  }

  /** The text of a scrape: the sum of the snapshots given and of what is retired. */
  text(snapshots: readonly Snapshot[]): Promise<string> {
    return aggregate([...snapshots, this.#retired]).metrics()
  }
}

function aggregate(snapshots: readonly Snapshot[]) {
  return AggregatorRegistry.aggregate(snapshots.map((snapshot) => [...snapshot]))
}
