import { expect, test } from 'bun:test'
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { MetricsSnapshot } from '../../src/cluster/messages.ts'
import { MetricsAggregator } from '../../src/cluster/metrics-aggregator.ts'
import { HistogramSeries, registerHistogram } from '../../src/telemetry/metrics/histogram-series.ts'

/** The snapshot of a process that answered `requests` and has `open` requests in flight. */
async function snapshot(requests: number, open: number): Promise<MetricsSnapshot> {
  const registry = new Registry()
  const registers = [registry]
  const series = new HistogramSeries([0.1, 1])
  const seconds = new Histogram({ name: 'task_seconds', help: 'Seconds', buckets: [0.1, 1], registers })
  for (let i = 0; i < requests; i++) {
    series.observe(i % 2 === 0 ? 0.05 : 5)
    seconds.observe(i % 2 === 0 ? 0.05 : 5)
  }
  new Counter({ name: 'requests_total', help: 'Requests', labelNames: ['route'], registers }).inc(
    { route: '/a' },
    requests,
  )
  new Gauge({ name: 'open', help: 'Open', registers }).set(open)
  registerHistogram(registry, {
    name: 'seconds',
    help: 'Seconds',
    buckets: [0.1, 1],
    series: () => [[{ route: '/a' }, series]],
  })
  return (await registry.getMetricsAsJSON()) as unknown as MetricsSnapshot
}

test('a scrape is the sum over the processes, buckets included', async () => {
  const sum = new MetricsAggregator<object>()
  sum.update({}, await snapshot(4, 1))
  const text = await sum.render(await snapshot(6, 2))
  expect(text).toContain('requests_total{route="/a"} 10')
  expect(text).toContain('open 3')
  expect(text).toContain('seconds_bucket{route="/a",le="0.1"} 5')
  expect(text).toContain('seconds_bucket{route="/a",le="+Inf"} 10')
  expect(text).toContain('seconds_count{route="/a"} 10')
  expect(text).toContain('task_seconds_bucket{le="0.1"} 5')
  expect(text).toContain('task_seconds_bucket{le="+Inf"} 10')
  expect(text).toContain('task_seconds_count 10')
})

test('a later snapshot of a process replaces its earlier one', async () => {
  const sum = new MetricsAggregator<object>()
  const process = {}
  sum.update(process, await snapshot(4, 1))
  sum.update(process, await snapshot(5, 2))
  expect(await sum.render()).toContain('requests_total{route="/a"} 5')
})

test('the counters of exited processes stay in the sum, their gauges do not', async () => {
  const sum = new MetricsAggregator<object>()
  const exited = await Promise.all([snapshot(4, 7), snapshot(1, 7)])
  // At the same time, as when several processes are killed.
  await Promise.all(
    exited.map((metrics) => {
      const process = {}
      sum.update(process, metrics)
      return sum.addExited(process)
    }),
  )
  sum.update({}, await snapshot(10, 2))
  const text = await sum.render()
  expect(text).toContain('requests_total{route="/a"} 15')
  expect(text).toContain('open 2')
  expect(text).toContain('seconds_count{route="/a"} 15')
})

test('metrics that arrive after the end of a process are not counted twice', async () => {
  const sum = new MetricsAggregator<object>()
  const process = {}
  sum.update(process, await snapshot(4, 7))
  await sum.addExited(process)
  sum.update(process, await snapshot(4, 7))
  expect(await sum.render()).toContain('requests_total{route="/a"} 4')
})

test('a process that never sent metrics adds nothing', async () => {
  const sum = new MetricsAggregator<object>()
  await sum.addExited({})
  sum.update({}, await snapshot(3, 0))
  expect(await sum.render()).toContain('requests_total{route="/a"} 3')
})
