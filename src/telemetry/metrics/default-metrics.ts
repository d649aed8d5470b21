import type { Metric, Registry } from 'prom-client'

/**
 * The default metrics of prom-client that are true on Bun. The others are left out: V8's heap spaces and
 * garbage collection do not exist here and would read 0 for ever, the heap size shows virtual memory, and
 * the version is that of the Node interface, not of the runtime.
 */
const trueOnBun = [
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

/** After this the lag is measured, whether or not somebody has asked for it, in ms. */
const beginAfterMs = 500

/**
 * Adds the process's metrics to a registry, under the names every Prometheus dashboard knows. They are loaded by the
 * first scrape, or else a little after the start, which they would make longer by a tenth: they bring node:util,
 * node:fs and OpenTelemetry's interface. What they count (CPU time, lag) they count from then on.
 */
export function registerProcessMetrics(registry: Registry): void {
  let loading: Promise<Registry> | undefined
  const load = (): Promise<Registry> => {
    loading ??= import('./node-metrics.ts').then(({ createNodeMetrics }) => createNodeMetrics())
    return loading
  }
  setTimeout(load, beginAfterMs).unref()
  for (const name of trueOnBun) {
    // All that a registry uses of a metric: its name, and at a scrape what `get` gives. What /proc does not tell, for it
    // is not there outside Linux, has no samples.
    const none = { name, help: '', type: 'gauge', values: [] }
    const metric = { name, get: async () => (await load()).getSingleMetric(name)?.get() ?? none }
    registry.registerMetric(metric as unknown as Metric)
  }
}
