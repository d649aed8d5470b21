import type { Config } from '../config.ts'
import { createOperationsApp } from '../http/app.ts'
import { type BoundServer, createChecks, type Lifecycle, serve } from '../lifecycle/index.ts'
import { createWorkerMetrics } from '../telemetry/metrics/worker-metrics.ts'
import { adminForToken, openOperationsPort, operationsOptions } from './admin-server.ts'
import { openAnalysisThreads } from './analysis-pool.ts'
import { ownHeapSnapshot } from './heap-snapshot.ts'
import { logCheck, logLifecycle } from './lifecycle-log.ts'
import type { OpenLog } from './logging.ts'
import { buildOf, openMetrics } from './metrics.ts'
import { openRuntimeSettings, type Running } from './runtime-settings.ts'
import { openConfiguredDatabase, openConfiguredQueue, queueChecks } from './storage.ts'
import { startTaskWorker } from './task-worker.ts'
import { openTracing } from './tracing.ts'

/** What a probe in flight may take after the tasks in hand had their time, in ms. */
const lastProbeMsMax = 100

/**
 * The worker process: metrics → queue → listening → worker → ready. It runs tasks, and over HTTP it answers only what
 * the platform asks.
 *
 * @throws what Bun throws when the port cannot be had.
 */
export async function startWorkerProcess(
  lifecycle: Lifecycle,
  config: Config,
  { log, sink }: OpenLog,
): Promise<Running> {
  lifecycle.configure({
    // No client has to leave: the window, in which probes are answered, lasts as long as a task is in hand.
    drainMinMs: 0,
    drainQuietMs: 0,
    drainMaxMs: config.SHUTDOWN_TIMEOUT,
    shutdownTimeoutMs: lastProbeMsMax,
  })
  let server: BoundServer | undefined
  const metrics = openMetrics(lifecycle, config, sink, () => server)
  logLifecycle(lifecycle, log, metrics)

  const live = await openRuntimeSettings(lifecycle, config, log)

  const queue = await openConfiguredQueue(
    lifecycle,
    config,
    () => openConfiguredDatabase(lifecycle, config),
    log,
    await openTracing(lifecycle, config, log),
  )
  const workerMetrics = createWorkerMetrics(metrics.registry, () => queue.depth())
  const checks = createChecks(queueChecks(queue, true), { onChange: (change) => logCheck(log, change) })
  const operations = { ...operationsOptions(config), lifecycle, checks, metrics, log }
  const admin = { live, injectsFaults: false, takeHeapSnapshot: ownHeapSnapshot }
  openOperationsPort(lifecycle, config, { ...operations, admin })
  const app = createOperationsApp({ ...operations, admin: adminForToken(config, admin) })
  lifecycle.onClose('deadlines', app.inFlight.close)
  server = serve(lifecycle, {
    port: config.WORKER_PORT,
    hostname: config.HOST,
    idleTimeoutSeconds: Math.floor(config.IDLE_TIMEOUT / 1_000),
    fetch: app.fetch,
    isProbe: app.isBackground,
    describeInFlight: app.inFlight.describe,
  })
  const threads = openAnalysisThreads(lifecycle, config)
  startTaskWorker(lifecycle, config, { queue, threads, metrics: workerMetrics, log, holdsWindow: true })
  lifecycle.markReady()
  log.info('listening', {
    url: server.url.href,
    version: buildOf(config).version,
    environment: config.ENVIRONMENT,
  })
  return { port: server.port, live }
}
