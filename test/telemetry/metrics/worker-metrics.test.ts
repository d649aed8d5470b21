import { expect, test } from 'bun:test'
import { Registry } from '../../../src/telemetry/metrics/prom-client.ts'
import type { ObservedQueue } from '../../../src/telemetry/metrics/queue-gauges.ts'
import { createWorkerMetrics } from '../../../src/telemetry/metrics/worker-metrics.ts'
import { parseMetrics } from '../../support/metrics.ts'

const emptyQueue: ObservedQueue = {
  waiting: 0,
  delayed: 0,
  processing: 0,
  completed: 0,
  failed: 0,
  cancelled: 0,
  oldestWaitingMs: undefined,
  paused: false,
}

test('every run counts in the duration and the wait, and by its kind and outcome', async () => {
  const registry = new Registry()
  const metrics = createWorkerMetrics(registry, ['analysis', 'demo'], async () => emptyQueue)
  const outcomes = ['completed', 'completed', 'completed', 'failed', 'retried', 'retried', 'lost'] as const
  for (const outcome of outcomes) metrics.observeRun({ kind: 'analysis', outcome, durationMs: 2, waitMs: 20 })
  metrics.observeRun({ kind: 'unknown', outcome: 'postponed', durationMs: 0, waitMs: 0 })
  const series = parseMetrics(await registry.metrics())
  expect(series.get('worker_tasks_processed_total')).toBe(3)
  expect(series.get('worker_tasks_failed_total')).toBe(1)
  expect(series.get('worker_tasks_retried_total')).toBe(2)
  expect(series.get('worker_task_runs_total{kind="analysis",outcome="completed"}')).toBe(3)
  expect(series.get('worker_task_runs_total{kind="analysis",outcome="lost"}')).toBe(1)
  expect(series.get('worker_task_runs_total{kind="unknown",outcome="postponed"}')).toBe(1)
  // Zero before the first run, so that increases can be computed.
  expect(series.get('worker_task_runs_total{kind="demo",outcome="cancelled"}')).toBe(0)
  const duration = 'worker_task_processing_duration_seconds'
  expect(series.get(`${duration}_count{kind="analysis"}`)).toBe(7)
  expect(series.get(`${duration}_bucket{le="0.001",kind="analysis"}`)).toBe(0)
  expect(series.get(`${duration}_bucket{le="0.0025",kind="analysis"}`)).toBe(7)
  expect(series.get('worker_task_wait_seconds_bucket{le="0.01",kind="analysis"}')).toBe(0)
  expect(series.get('worker_task_wait_seconds_bucket{le="0.025",kind="analysis"}')).toBe(7)
})

test('the queue is read once at each scrape, and its gauges are absent while it is unreachable', async () => {
  const registry = new Registry()
  let reads = 0
  let queue: ObservedQueue | undefined
  createWorkerMetrics(registry, [], async () => {
    reads++
    return queue
  })
  const scrape = async () => {
    const series = parseMetrics(await registry.metrics())
    return Object.fromEntries([...series].filter(([name]) => /^worker_(queue|oldest)/.test(name)))
  }
  expect(await scrape()).toEqual({})
  queue = {
    ...emptyQueue,
    waiting: 4,
    delayed: 3,
    processing: 2,
    failed: 1,
    oldestWaitingMs: 1_500,
    paused: true,
  }
  expect(await scrape()).toEqual({
    worker_queue_length: 7,
    worker_oldest_pending_seconds: 1.5,
    worker_queue_paused: 1,
    'worker_queue_tasks{state="waiting"}': 4,
    'worker_queue_tasks{state="delayed"}': 3,
    'worker_queue_tasks{state="processing"}': 2,
    'worker_queue_tasks{state="completed"}': 0,
    'worker_queue_tasks{state="failed"}': 1,
    'worker_queue_tasks{state="cancelled"}': 0,
  })
  queue = emptyQueue
  expect(await scrape()).toMatchObject({ worker_oldest_pending_seconds: 0, worker_queue_paused: 0 })
  queue = undefined
  expect(await scrape()).toEqual({})
  expect(reads).toBe(4)
})
