import type { Metric, Registry } from 'prom-client'
import { Registry as PromRegistry } from './prom-client.ts'

/**
 * The default metrics of prom-client that are correct on Bun. The others are omitted: V8's heap spaces and garbage
 * collector do not exist here and would always read 0, the heap size is virtual memory, and the version is that of the
 * Node API.
 */
const names = [
  'process_cpu_user_seconds_total',
  'process_cpu_system_seconds_total',
  'process_cpu_seconds_total',
  'process_start_time_seconds',
  'process_resident_memory_bytes',
  'process_open_fds',
  'process_max_fds',
  'nodejs_eventloop_lag_seconds',
  'nodejs_eventloop_lag_p50_seconds',
  'nodejs_eventloop_lag_p90_seconds',
  'nodejs_eventloop_lag_p99_seconds',
] as const

/** Delay before the measurement of the event loop lag starts, even without a scrape, in ms. */
const loadDelayMs = 500

/** Interval of the event loop lag measurement, in ms. */
const lagIntervalMs = 10

/**
 * Registers prom-client's default metrics. They are loaded by the first scrape, or soon after the start, because they
 * load node:fs, perf_hooks and OpenTelemetry's API, which would delay the start.
 */
export function registerDefaultMetrics(registry: Registry): void {
  let loading: Promise<Registry> | undefined
  const load = (): Promise<Registry> => {
    loading ??= loadDefaultMetrics()
    return loading
  }
  // Without a free file descriptor no module can be loaded: then scrapes fail, and not the service.
  setTimeout(() => void load().catch(() => {}), loadDelayMs).unref()
  for (const name of names) {
    // Outside Linux some metrics have no source: they have no samples then.
    const absent = { name, help: '', type: 'gauge', values: [] }
    // A registry uses nothing but `name` and `get()`; its type asks for one of prom-client's own classes.
    const metric = { name, get: async () => (await load()).getSingleMetric(name)?.get() ?? absent }
    registry.registerMetric(metric as unknown as Metric)
  }
}

/**
 * Loads the modules of the default metrics one by one. `collectDefaultMetrics` would create all of them, and it is
 * exported by the package's index, which loads node:cluster and node:http.
 */
async function loadDefaultMetrics(): Promise<Registry> {
  const modules = await Promise.all([
    import('prom-client/lib/metrics/processCpuTotal.js'),
    import('prom-client/lib/metrics/processStartTime.js'),
    import('prom-client/lib/metrics/osMemoryHeap.js'),
    import('prom-client/lib/metrics/processOpenFileDescriptors.js'),
    import('prom-client/lib/metrics/processMaxFileDescriptors.js'),
    import('prom-client/lib/metrics/eventLoopLag.js'),
  ])
  const registry = new PromRegistry()
  for (const { default: register } of modules)
    register(registry, { eventLoopMonitoringPrecision: lagIntervalMs })
  return registry
}
