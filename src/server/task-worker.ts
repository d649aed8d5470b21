import type { AnalysisPool } from '../analysis/pool/jobs.ts'
import type { Config } from '../config.ts'
import type { Lifecycle } from '../lifecycle/index.ts'
import { taskKinds } from '../tasks/kinds/registry.ts'
import { createTaskHandler, findTimeout, kindLabel } from '../tasks/task-handler.ts'
import type { Consumer, RunReport, TaskQueue } from '../tasks/task-queue.ts'
import { describeError } from '../telemetry/log/describe-error.ts'
import type { Log } from '../telemetry/log/log.ts'
import type { Metrics } from '../telemetry/metrics/metrics.ts'
import { createWorkerMetrics, type WorkerMetrics } from '../telemetry/metrics/worker-metrics.ts'
import { getBuild } from './metrics.ts'
import { readQueueStats } from './storage.ts'

export interface TaskWorkerOptions {
  readonly queue: TaskQueue
  readonly threads: Pick<AnalysisPool, 'runTask'>
  readonly metrics: WorkerMetrics
  readonly log: Log
  /** Whether the drain window lasts until the running tasks have ended. Default false: they finish after it. */
  readonly holdsDrainWindow?: boolean
}

/** The log message for each outcome of a run. */
const runMessages = {
  completed: 'task completed',
  failed: 'task failed',
  retried: 'task attempt failed, will retry',
  released: 'task released',
  postponed: 'task postponed',
  lost: 'task lease lost',
  cancelled: 'task cancelled',
} as const satisfies Record<RunReport['outcome'], string>

/** Creates the metrics of a queue and of the runs in this process. */
export function openWorkerMetrics({ registry }: Pick<Metrics, 'registry'>, queue: TaskQueue): WorkerMetrics {
  const kinds = taskKinds.map(({ name }) => name)
  return createWorkerMetrics(registry, kinds, () => readQueueStats(queue))
}

/**
 * Runs the tasks of a queue in this process. From the start of a shutdown it claims no more tasks and finishes the
 * running ones. Tasks that are unfinished at the deadline are released to the queue.
 */
export function startTaskWorker(
  lifecycle: Lifecycle,
  config: Config,
  { queue, threads, metrics, log, holdsDrainWindow = false }: TaskWorkerOptions,
): Consumer {
  const limits = { maxNumbers: config.MAX_NUMBERS, maxTextLength: config.MAX_TEXT_LENGTH }
  const consumer = queue.consume(createTaskHandler({ limits, threads }), {
    concurrency: config.WORKER_CONCURRENCY,
    timeoutMs: (task) => findTimeout(task, config.TASK_TIMEOUT),
    worker: { name: config.INSTANCE_NAME, version: getBuild(config).version },
    onRunEnd({ task, outcome, durationMs, waitMs, error }) {
      metrics.observeRun({ kind: kindLabel(task), outcome, durationMs, waitMs })
      const fields = {
        task_id: task.id,
        kind: task.kind,
        outcome,
        attempt: task.attempts,
        max_attempts: config.TASK_ATTEMPTS,
        duration_ms: Math.round(durationMs * 100) / 100,
        wait_ms: Math.round(waitMs),
        age_ms: Date.now() - task.createdAt,
      }
      if (outcome === 'completed') log[config.ACCESS_LOG ? 'info' : 'debug'](runMessages[outcome], fields)
      else if (outcome === 'cancelled') log.info(runMessages[outcome], fields)
      else log.warn(runMessages[outcome], { ...fields, cause: describeError(error), error })
    },
  })
  lifecycle.addTarget({
    name: 'tasks',
    beginDrain: () => consumer.pause(),
    // A running task counts as traffic where the drain window exists for tasks; see worker.ts.
    ...(holdsDrainWindow && {
      traffic: () => ({
        inFlight: consumer.activeCount,
        openConnections: 0,
        lastRequestAt: consumer.activeCount > 0 ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY,
      }),
    }),
    finish: () => consumer.finish(),
    async abort() {
      const ids = await consumer.release()
      if (ids.length > 0)
        log.warn('released unfinished tasks', {
          count: ids.length,
          tasks: ids.slice(0, 100),
        })
      // No task is lost: each is pending again, now or when its lease expires.
      return []
    },
  })
  return consumer
}
