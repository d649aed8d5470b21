import type { AnalysisPool } from '../analysis/pool/jobs.ts'
import type { Config } from '../config.ts'
import type { Lifecycle } from '../lifecycle/index.ts'
import { createAnalysisHandler } from '../tasks/handlers.ts'
import type { Consumer, TaskQueue } from '../tasks/task-queue.ts'
import type { Log } from '../telemetry/log/log.ts'
import type { WorkerMetrics } from '../telemetry/metrics/worker-metrics.ts'

export interface TaskWorkerOptions {
  readonly queue: TaskQueue
  readonly threads: Pick<AnalysisPool, 'runTask'>
  readonly metrics: WorkerMetrics
  readonly log: Log
  /** Whether the drain window lasts until the tasks in hand are done. Default false: they finish after it. */
  readonly holdsDrainWindow?: boolean
}

/**
 * Runs the tasks of a queue in this process until it stops: from the first moment of the shutdown on nothing more is
 * claimed, what is in hand is finished, and what is not finished in time goes back to the queue.
 */
export function startTaskWorker(
  lifecycle: Lifecycle,
  config: Config,
  { queue, threads, metrics, log, holdsDrainWindow = false }: TaskWorkerOptions,
): Consumer {
  const limits = { maxNumbers: config.MAX_NUMBERS, maxTextLength: config.MAX_TEXT_LENGTH }
  const consumer = queue.consume(createAnalysisHandler(limits, threads), {
    concurrency: config.WORKER_CONCURRENCY,
    timeoutMs: config.TASK_TIMEOUT,
    onRunEnd({ task, outcome, durationMs, error }) {
      metrics.observeRun(outcome, durationMs / 1_000)
      const fields = {
        task_id: task.id,
        outcome,
        attempt: task.attempts,
        duration_ms: Math.round(durationMs * 100) / 100,
      }
      if (outcome === 'completed') log.debug('task run', fields)
      else log.warn('task run', { ...fields, error })
    },
  })
  lifecycle.addTarget({
    name: 'tasks',
    beginDrain: () => consumer.pause(),
    // A task in hand counts as traffic where the drain window is there for tasks; see worker-process.ts.
    ...(holdsDrainWindow && {
      traffic: () => ({
        inFlight: consumer.activeCount,
        openConnections: 0,
        lastRequestAt: consumer.activeCount > 0 ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY,
      }),
    }),
    finish: () => consumer.finish(),
    async cut() {
      const ids = await consumer.release()
      if (ids.length > 0)
        log.warn('tasks handed back: another worker runs them', {
          count: ids.length,
          tasks: ids.slice(0, 100),
        })
      // Nothing is lost: they are pending again, or will be when their lease is over.
      return []
    },
  })
  return consumer
}
