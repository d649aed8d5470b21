import type { Registry } from 'prom-client'
import { Counter, Histogram } from './prom-client.ts'
import { createQueueGauges, type ReadQueue } from './queue-gauges.ts'

/** In seconds. A small task takes a millisecond, the longest may take minutes. */
const durationBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 300]
/** In seconds. An idle worker claims within milliseconds; a long queue takes hours. */
const waitBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600]

const outcomes = ['completed', 'failed', 'retried', 'released', 'postponed', 'lost', 'cancelled'] as const

/** One attempt of a task that ended in this process. */
export interface ObservedRun {
  readonly kind: string
  readonly outcome: (typeof outcomes)[number]
  readonly durationMs: number
  /** How long the task was due before it was claimed. */
  readonly waitMs: number
}

export interface WorkerMetrics {
  observeRun(run: ObservedRun): void
}

/**
 * The metrics of running tasks, with the same names in a worker and in a server that runs tasks itself.
 *
 * @param kinds the values of the label `kind` that are known; their counters begin at 0
 * @param readQueue see ReadQueue
 */
export function createWorkerMetrics(
  registry: Registry,
  kinds: readonly string[],
  readQueue: ReadQueue,
): WorkerMetrics {
  const registers = [registry]
  const counters = createOutcomeCounters(registry)
  const runs = new Counter({
    name: 'worker_task_runs_total',
    help: 'Task attempts that ended in this process, by kind and outcome',
    labelNames: ['kind', 'outcome'],
    registers,
  })
  for (const kind of kinds) for (const outcome of outcomes) runs.inc({ kind, outcome }, 0)
  const durations = new Histogram({
    name: 'worker_task_processing_duration_seconds',
    help: 'Duration of a task attempt in seconds, with any outcome',
    labelNames: ['kind'],
    buckets: durationBuckets,
    registers,
  })
  const waits = new Histogram({
    name: 'worker_task_wait_seconds',
    help: 'How long a task was due before this process claimed it, in seconds',
    labelNames: ['kind'],
    buckets: waitBuckets,
    registers,
  })
  createQueueGauges(registry, readQueue)

  return {
    observeRun({ kind, outcome, durationMs, waitMs }) {
      counters.get(outcome)?.inc()
      runs.inc({ kind, outcome })
      durations.observe({ kind }, durationMs / 1_000)
      waits.observe({ kind }, waitMs / 1_000)
    },
  }
}

/** Counters without labels, by outcome. */
function createOutcomeCounters(registry: Registry): ReadonlyMap<string, Counter> {
  const registers = [registry]
  return new Map([
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
}
