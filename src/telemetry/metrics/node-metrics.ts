import type { Registry } from 'prom-client'
import eventLoopLag from 'prom-client/lib/metrics/eventLoopLag.js'
import residentMemory from 'prom-client/lib/metrics/osMemoryHeap.js'
import cpuTotal from 'prom-client/lib/metrics/processCpuTotal.js'
import maxFileDescriptors from 'prom-client/lib/metrics/processMaxFileDescriptors.js'
import openFileDescriptors from 'prom-client/lib/metrics/processOpenFileDescriptors.js'
import startTime from 'prom-client/lib/metrics/processStartTime.js'
import PromRegistry from 'prom-client/lib/registry.js'

/**
 * Those of prom-client's default metrics that say something on Bun, and some more.
 *
 * Their modules are taken one by one: `collectDefaultMetrics` makes all of them, and stands in the package's index
 * beside what loads node:cluster and node:http.
 */
const groups = [cpuTotal, startTime, residentMemory, openFileDescriptors, maxFileDescriptors, eventLoopLag]

/** How often the lag of the event loop is measured, in ms. */
const lagEveryMs = 10

/** prom-client's metrics of this process, from now on. */
export function createNodeMetrics(): Registry {
  const registry = new PromRegistry()
  for (const register of groups) register(registry, { eventLoopMonitoringPrecision: lagEveryMs })
  return registry
}
