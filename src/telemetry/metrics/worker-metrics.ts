import type { Registry } from 'prom-client'
import { Counter, Gauge, Histogram } from './prom-client.ts'

/** In seconds. A small task takes a millisecond, the longest may take minutes. */
const durationBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 300]

/** How long a scrape waits for the queue, in ms; then the length is left out. */
const queueLengthMsMax = 1_000

/** How a run of a task ended. */
export type RunOutcome = 'completed' | 'failed' | 'retried' | 'released' | 'lost'

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
 * @param getQueueLength returns the number of waiting tasks; called at each scrape
 */
export function createWorkerMetrics(registry: Registry, queueLength: () => Promise<number>): WorkerMetrics {
  const durations = new HistogramCell(durationBuckets)
  const counts: Record<RunOutcome, number> = {
    completed: 0,
    failed: 0,
    retried: 0,
    'released': 0,
    lost: 0,
  }

  const counter = (name: string, help: string, outcome: RunOutcome): void =>
    registerPlain(registry, {
      name,
      help,
      type: 'counter',
      samples: () => [{ metricName: name, labels: {}, value: counts[outcome] }],
    })
  counter('worker_tasks_processed_total', 'Tasks completed here', 'completed')
  counter('worker_tasks_failed_total', 'Tasks given up here, their attempts spent', 'failed')
  counter('worker_tasks_retried_total', 'Runs that failed here and are tried again', 'retried')
  const duration = 'worker_task_processing_duration_seconds'
  registerPlain(registry, {
    name: duration,
    help: 'What one run took, however it ended',
    type: 'histogram',
    samples: () => histogramSamples(duration, durationBuckets, {}, durations),
  })
  new Gauge({
    name: 'worker_queue_length',
    help: 'Tasks waiting in the queue; absent while the queue is unreachable',
    // Processes that share a queue report the same length.
    aggregator: 'max',
    registers,
    async collect() {
      const timeout = Bun.sleep(queueLengthTimeoutMs)
      const length = await Promise.race([getQueueLength(), timeout]).catch(() => undefined)
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
