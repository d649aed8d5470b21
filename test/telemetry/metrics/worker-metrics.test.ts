import { expect, test } from 'bun:test'
import { Registry } from '../../../src/telemetry/metrics/prom-client.ts'
import { createWorkerMetrics } from '../../../src/telemetry/metrics/worker-metrics.ts'
import { parseMetrics } from '../../support/metrics.ts'

test('every run counts in the duration, and by its outcome', async () => {
  const registry = new Registry()
  const metrics = createWorkerMetrics(registry, async () => 0)
  for (const outcome of ['completed', 'completed', 'completed', 'failed', 'retried', 'retried', 'lost'])
    metrics.observeRun(outcome, 0.002)
  const series = parseMetrics(await registry.metrics())
  expect(series.get('worker_tasks_processed_total')).toBe(3)
  expect(series.get('worker_tasks_failed_total')).toBe(1)
  expect(series.get('worker_tasks_retried_total')).toBe(2)
  expect(series.get('worker_task_processing_duration_seconds_count')).toBe(7)
  expect(series.get('worker_task_processing_duration_seconds_bucket{le="0.001"}')).toBe(0)
  expect(series.get('worker_task_processing_duration_seconds_bucket{le="0.0025"}')).toBe(7)
})

test('the queue length is read at each scrape, and absent while the queue is unreachable', async () => {
  const registry = new Registry()
  let length: () => Promise<number | undefined> = async () => 7
  createWorkerMetrics(registry, () => length())
  const scrape = async (): Promise<number | undefined> =>
    parseMetrics(await registry.metrics()).get('worker_queue_length')
  expect(await scrape()).toBe(7)
  length = async () => undefined
  expect(await scrape()).toBeUndefined()
  length = async () => 0
  expect(await scrape()).toBe(0)
})
