import { describe, expect, test } from 'bun:test'
import { createMetrics, type MetricSources, type Metrics } from '../../../src/telemetry/metrics/metrics.ts'
import { runCommand } from '../../support/command.ts'
import { familiesOf, parseMetrics, type Scrape } from '../../support/metrics.ts'
import { hasProgram } from '../../support/programs.ts'

const idle: MetricSources = {
  state: () => 'ready',
  inFlight: () => 0,
  servedWhileDraining: () => 0,
  logLinesDropped: () => 0,
  spansDropped: () => 0,
}
const create = (sources: Partial<MetricSources> = {}, prefix = 'api_'): Metrics =>
  createMetrics({
    prefix,
    sources: { ...idle, ...sources },
    role: 'server',
    build: { version: '1.2.3', revision: 'abc' },
    backends: { store: 'postgres', queue: 'redis' },
  })
const scrape = async (metrics: Metrics): Promise<Scrape> => parseMetrics(await metrics.registry.metrics())

describe('a request duration', () => {
  for (const [seconds, edge, below] of [
    [0.0005, '0.0005', undefined],
    [0.00051, '0.001', '0.0005'],
    [0.5, '0.5', '0.25'],
    [0.500001, '1', '0.5'],
    [10, '10', '5'],
    [10.1, '+Inf', '10'],
    [0, '0.0005', undefined],
  ] as const) {
    test(`of ${seconds} s counts in the bucket of ${edge} s and those above`, async () => {
      const metrics = create()
      metrics.requests.observe('GET', '/x', 200, seconds)
      const series = await scrape(metrics)
      const bucket = (le: string): number | undefined =>
        series.get(
          `api_http_request_duration_seconds_bucket{method="GET",route="/x",status="200",le="${le}"}`,
        )
      expect(bucket(edge)).toBe(1)
      expect(bucket('+Inf')).toBe(1)
      if (below !== undefined) expect(bucket(below)).toBe(0)
      expect(series.get('api_http_request_duration_seconds_sum{method="GET",route="/x",status="200"}')).toBe(
        seconds,
      )
    })
  }
})

test('requests are counted by method, route and status', async () => {
  const metrics = create()
  metrics.requests.observe('GET', '/x', 200, 0.1)
  metrics.requests.observe('GET', '/x', 404, 0.1)
  metrics.requests.observe('POST', '/x', 200, 0.1)
  metrics.requests.observe('GET', '/y', 200, 0.1)
  metrics.requests.observe('GET', '/y', 200, 0.1)
  const totals = [...(await scrape(metrics))].filter(([key]) => key.startsWith('api_http_requests_total'))
  expect(Object.fromEntries(totals)).toEqual({
    'api_http_requests_total{method="GET",route="/x",status="200"}': 1,
    'api_http_requests_total{method="GET",route="/x",status="404"}': 1,
    'api_http_requests_total{method="POST",route="/x",status="200"}': 1,
    'api_http_requests_total{method="GET",route="/y",status="200"}': 2,
  })
})

test('app_state is 1 for the current state and 0 for the others', async () => {
  let state: ReturnType<MetricSources['state']> = 'starting'
  const metrics = create({ state: () => state })
  for (const now of ['starting', 'ready', 'draining', 'stopped'] as const) {
    state = now
    const states = [...(await scrape(metrics))].filter(([key]) => key.startsWith('app_state'))
    expect(states).toHaveLength(4)
    expect(states.filter(([, value]) => value === 1)).toEqual([[`app_state{state="${now}"}`, 1]])
  }
})

test('values kept elsewhere are read at each scrape', async () => {
  let value = 0
  const read = (): number => value
  const metrics = create({ inFlight: read, servedWhileDraining: read, logLinesDropped: read })
  for (value of [3, 5, 5, 6]) {
    const series = await scrape(metrics)
    for (const name of [
      'api_http_requests_in_flight',
      'api_requests_served_while_draining_total',
      'log_lines_dropped_total',
    ])
      expect({ name, value: series.get(name) }).toEqual({ name, value })
  }
})

test('each counter counts its own events', async () => {
  const metrics = create()
  metrics.countUncaughtError()
  for (let i = 0; i < 2; i++) metrics.countDocument()
  for (let i = 0; i < 3; i++) metrics.countTask()
  for (let i = 0; i < 4; i++) metrics.countRateLimitFailOpen()
  for (let i = 0; i < 5; i++) metrics.countShed('event_loop')
  const series = await scrape(metrics)
  expect(series.get('app_uncaught_errors_total')).toBe(1)
  expect(series.get('api_documents_created_total')).toBe(2)
  expect(series.get('api_tasks_created_total')).toBe(3)
  expect(series.get('api_rate_limit_fail_open_total')).toBe(4)
  expect(series.get('api_requests_shed_total{reason="event_loop"}')).toBe(5)
  expect(series.get('api_requests_shed_total{reason="in_flight"}')).toBe(0)
})

test('a payload counts in the histograms of its sizes', async () => {
  const metrics = create()
  metrics.observePayload(5, 24)
  metrics.observePayload(100, 0)
  const series = await scrape(metrics)
  expect(series.get('api_payload_numbers_bucket{le="10"}')).toBe(1)
  expect(series.get('api_payload_numbers_bucket{le="100"}')).toBe(2)
  expect(series.get('api_payload_numbers_sum')).toBe(105)
  expect(series.get('api_payload_text_characters_bucket{le="1"}')).toBe(1)
  expect(series.get('api_payload_text_characters_count')).toBe(2)
})

test('build_info has the build as labels', async () => {
  const series = await scrape(create())
  expect(series.get(`build_info{version="1.2.3",revision="abc",runtime="bun ${Bun.version}"}`)).toBe(1)
})

describe('METRICS_PREFIX', () => {
  const own = (families: string[]): string[] =>
    families.filter((name) => !/^(process|nodejs|app|log|build|trace)_/.test(name))

  test('is put before the names of application metrics, and no others', async () => {
    const families = familiesOf(await create({}, 'tally_').registry.metrics())
    expect(own(families).length).toBeGreaterThan(5)
    expect(own(families).filter((name) => !name.startsWith('tally_'))).toEqual([])
    expect(families).toContain('process_resident_memory_bytes')
    expect(families).toContain('app_state')
  })

  test('may be empty', async () => {
    const metrics = create({}, '')
    metrics.requests.observe('GET', '/x', 200, 0.1)
    const series = await scrape(metrics)
    expect(series.get('http_requests_total{method="GET",route="/x",status="200"}')).toBe(1)
    expect(series.get('http_requests_in_flight')).toBe(0)
  })
})

describe('default metrics', () => {
  test('include those that dashboards use, with finite values', async () => {
    const series = await scrape(create())
    for (const name of [
      'process_cpu_user_seconds_total',
      'process_cpu_system_seconds_total',
      'process_cpu_seconds_total',
      'process_start_time_seconds',
      'process_resident_memory_bytes',
      'process_open_fds',
      'process_max_fds',
      'nodejs_eventloop_lag_seconds',
    ])
      expect({ name, finite: Number.isFinite(series.get(name)) }).toEqual({ name, finite: true })
    expect(series.get('process_resident_memory_bytes')).toBeGreaterThan(10_000_000)
    expect(series.get('process_open_fds')).toBeGreaterThan(2)
    expect(Math.abs((series.get('process_start_time_seconds') ?? 0) - Date.now() / 1_000)).toBeLessThan(3_600)
  })

  test('exclude those that are wrong on Bun', async () => {
    const text = await create().registry.metrics()
    expect(text).not.toMatch(
      /heap_space|nodejs_gc|nodejs_version_info|heap_size|virtual_memory|active_handles/,
    )
  })
})

test('every metric is printed once, with help and type', async () => {
  const text = await create().registry.metrics()
  const families = familiesOf(text)
  expect(families.length).toBe(new Set(families).size)
  expect([...text.matchAll(/^# HELP (\S+) \S/gm)].map(([, name]) => name)).toEqual(families)
})

test.skipIf(!hasProgram('promtool', 'prometheus'))('promtool finds no problem in a scrape', async () => {
  for (const prefix of ['api_', '']) {
    const metrics = create({}, prefix)
    metrics.requests.observe('GET', '/x', 200, 0.1)
    metrics.observePayload(5, 24)
    const scrape = await metrics.registry.metrics()
    const { exitCode, output } = await runCommand(['promtool', 'check', 'metrics'], { stdin: scrape })
    expect({ exitCode, output }).toEqual({ exitCode: 0, output: '' })
  }
})
