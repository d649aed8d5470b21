import type { Registry } from 'prom-client'
import eventLoopLag from 'prom-client/lib/metrics/eventLoopLag.js'
import residentMemory from 'prom-client/lib/metrics/osMemoryHeap.js'
import cpuTotal from 'prom-client/lib/metrics/processCpuTotal.js'
import maxFileDescriptors from 'prom-client/lib/metrics/processMaxFileDescriptors.js'
import openFileDescriptors from 'prom-client/lib/metrics/processOpenFileDescriptors.js'
import startTime from 'prom-client/lib/metrics/processStartTime.js'
import PromRegistry from 'prom-client/lib/registry.js'

/**
 * The default metrics of prom-client that are true on Bun. The others are left out: V8's heap spaces and
 * garbage collection do not exist here and would read 0 for ever, the heap size shows virtual memory, and
 * the version is that of the Node interface, not of the runtime.
 *
 * Their modules are taken one by one: `collectDefaultMetrics` makes all of them, and stands in the package's index
 * beside what loads node:cluster and node:http.
 */
const groups = [cpuTotal, startTime, residentMemory, openFileDescriptors, maxFileDescriptors, eventLoopLag]

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

/** How often the lag of the event loop is measured, in ms. */
const lagEveryMs = 10

/** Adds the process's metrics to a registry, under the names every Prometheus dashboard knows. */
export function registerProcessMetrics(registry: Registry): void {
  const all = new PromRegistry()
  for (const register of groups) register(all, { eventLoopMonitoringPrecision: lagEveryMs })
  for (const name of trueOnBun) {
    const metric = all.getSingleMetric(name)
    if (metric !== undefined) registry.registerMetric(metric)
  }
}
