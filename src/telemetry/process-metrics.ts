import { collectDefaultMetrics, Registry } from 'prom-client'

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

/** Adds the process's metrics to a registry, under the names every Prometheus dashboard knows. */
export function registerProcessMetrics(registry: Registry): void {
  const all = new Registry()
  collectDefaultMetrics({ register: all })
  for (const name of trueOnBun) {
    const metric = all.getSingleMetric(name)
    if (metric !== undefined) registry.registerMetric(metric)
  }
}
