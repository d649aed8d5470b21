import type { Registry } from 'prom-client'
import { HistogramCell, histogramSamples, registerPlain } from './plain-metrics.ts'

/** In seconds: a small task takes a millisecond, and the longest may take minutes. */
const durationBuckets = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 300,
] as const

/** How long a scrape waits for the queue, in ms; then the length is left out. */
const queueLengthMsMax = 1_000

/** How a run of a task ended. */
export type RunOutcome = 'completed' | 'failed' | 'retried' | 'released' | 'lost'

export interface WorkerMetrics {
  /** Counts one run that ended here. */
  observeRun(outcome: RunOutcome, seconds: number): void
}

/**
 * The metrics of running tasks, under the same names in a worker process and in a server with a worker inside.
 *
 * @param queueLength tasks that wait; asked at the scrape, so that it is true also when nobody works
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
  const length = 'worker_queue_length'
  registerPlain(registry, {
    name: length,
    help: 'Tasks that wait to be run; absent while the queue cannot be reached',
    type: 'gauge',
    // Processes that share a queue see the same one.
    aggregator: 'max',
    samples: async () => {
      const value = await Promise.race([queueLength(), Bun.sleep(queueLengthMsMax)]).catch(() => undefined)
      return value === undefined ? [] : [{ metricName: length, labels: {}, value }]
    },
  })

  return {
    observeRun(outcome, seconds) {
      counts[outcome]++
      durations.observe(seconds)
    },
  }
}
