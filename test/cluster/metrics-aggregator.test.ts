import { expect, test } from 'bun:test'
import { Registry } from 'prom-client'
import type { MetricsSnapshot } from '../../src/cluster/messages.ts'
import { MetricsAggregator } from '../../src/cluster/metrics-aggregator.ts'
import { HistogramCell, histogramSamples, registerPlain } from '../../src/telemetry/metrics/plain-metrics.ts'

/** The metrics of a process that has answered `requests` and has `open` in flight. */
async function snapshot(requests: number, open: number): Promise<MetricsSnapshot> {
  const registry = new Registry()
  const cell = new HistogramCell([0.1, 1])
  for (let i = 0; i < requests; i++) cell.observe(i % 2 === 0 ? 0.05 : 5)
  registerPlain(registry, {
    name: 'requests_total',
    help: 'Requests',
    type: 'counter',
    samples: () => [{ metricName: 'requests_total', labels: { route: '/a' }, value: requests }],
  })
  registerPlain(registry, {
    name: 'open',
    help: 'Open',
    type: 'gauge',
    samples: () => [{ metricName: 'open', labels: {}, value: open }],
  })
  registerPlain(registry, {
    name: 'seconds',
    help: 'Seconds',
    type: 'histogram',
    samples: () => histogramSamples('seconds', [0.1, 1], { route: '/a' }, cell),
  })
  return (await registry.getMetricsAsJSON()) as unknown as MetricsSnapshot
}

test('a scrape is the sum over the processes, buckets included', async () => {
  const text = await new MetricsAggregator().render([await snapshot(4, 1), await snapshot(6, 2)])
  expect(text).toContain('requests_total{route="/a"} 10')
  expect(text).toContain('open 3')
  expect(text).toContain('seconds_bucket{route="/a",le="0.1"} 5')
  expect(text).toContain('seconds_bucket{route="/a",le="+Inf"} 10')
  expect(text).toContain('seconds_count{route="/a"} 10')
})

test('the counters of an exited process stay in the sum, its gauges do not', async () => {
  const aggregator = new MetricsAggregator()
  await aggregator.addExited(await snapshot(4, 7))
  await aggregator.addExited(await snapshot(1, 7))
  const text = await aggregator.render([await snapshot(10, 2)])
  expect(text).toContain('requests_total{route="/a"} 15')
  expect(text).toContain('open 2')
  expect(text).toContain('seconds_count{route="/a"} 15')
})

test('a process without metrics adds nothing', async () => {
  const aggregator = new MetricsAggregator()
  await aggregator.addExited([])
  expect(await aggregator.render([[], await snapshot(3, 0)])).toContain('requests_total{route="/a"} 3')
})
