import type { Registry } from 'prom-client'
import { Counter, Gauge, Histogram } from './prom-client.ts'

/** In seconds. A small task takes a millisecond, the longest may take minutes. */
const durationBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 300]

export interface WorkerMetrics {
  /**
   * Counts one run of a task that ended in this process.
   *
   * @param outcome `completed`, `failed` and `retried` have a counter each; every run counts in the duration
   */
  observeRun(outcome: string, seconds: number): void
}

/**
 * The metrics of running tasks, with the same names in a worker and in a server that runs tasks itself.
 *
 * @param getQueueLength returns the number of waiting tasks, or undefined while the queue is unreachable; called at each
 *   scrape, which waits for it
 */
export function createWorkerMetrics(
  registry: Registry,
  getQueueLength: () => Promise<number | undefined>,
): WorkerMetrics {
  const registers = [registry]
  const counters = new Map([
    [
      'completed',
      new Counter({
        name: 'worker_tasks_processed_total',
        help: 'Tasks completed by this process',
        registers,
      }),
    ],
    [
      'failed',
      new Counter({
        name: 'worker_tasks_failed_total',
        help: 'Tasks that failed permanently in this process',
        registers,
      }),
    ],
    [
      'retried',
      new Counter({
        name: 'worker_tasks_retried_total',
        help: 'Task attempts that failed in this process and will be retried',
        registers,
      }),
    ],
  ])
  const durations = new Histogram({
    name: 'worker_task_processing_duration_seconds',
    help: 'Duration of a task attempt in seconds, whatever its outcome',
    buckets: durationBuckets,
    registers,
  })
  new Gauge({
    name: 'worker_queue_length',
    help: 'Tasks waiting in the queue; absent while the queue is unreachable',
    // Processes that share a queue report the same length.
    aggregator: 'max',
    registers,
    async collect() {
      const length = await getQueueLength()
      if (length === undefined) this.remove()
      else this.set(length)
    },
  })

  return {
    observeRun(outcome, seconds) {
      counters.get(outcome)?.inc()
      durations.observe(seconds)
    },
  }
}
