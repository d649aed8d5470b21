import type { Config } from '../config.ts'
import { createManagementApp } from '../http/app.ts'
import { type BoundServer, createChecks, type Lifecycle, serve } from '../lifecycle/index.ts'
import type { RuntimeSettings } from '../runtime-settings/runtime-settings.ts'
import type { Consumer, TaskQueue } from '../tasks/task-queue.ts'
import type { Log } from '../telemetry/log/log.ts'
import { createCheckMetrics } from '../telemetry/metrics/check-metrics.ts'
import type { Metrics } from '../telemetry/metrics/metrics.ts'
import type { Tracing } from '../telemetry/tracing/tracing.ts'
import { adminWithToken, managementDeps, openAdminServer } from './admin-server.ts'
import { openAnalysisPool } from './analysis-pool.ts'
import { describeBackends } from './backends.ts'
import { localHeapSnapshot } from './heap-snapshot.ts'
import { logCheckChange, logLifecycle } from './lifecycle-log.ts'
import type { ProcessLog } from './logging.ts'
import { getBuild, openMetrics } from './metrics.ts'
import { localQueueControl } from './queue-control.ts'
import type { RunningService } from './run.ts'
import { openRuntimeSettings } from './runtime-settings.ts'
import { openManagementTokens } from './secrets.ts'
import { startStep } from './start-step.ts'
import { claimingCheck, openDatabaseFromConfig, openQueueFromConfig, queueChecks } from './storage.ts'
import { openWorkerMetrics, startTaskWorker } from './task-worker.ts'
import { openTracing } from './tracing.ts'

/**
 * The worker: metrics → runtime settings → queue → listening → task worker → ready. It runs tasks, and over HTTP it
 * answers only probes, metrics and admin requests. The lifecycle closes everything in reverse order.
 *
 * @throws what Bun throws when the port is not available.
 */
export async function startWorker(
  lifecycle: Lifecycle,
  config: Config,
  { log, writer }: ProcessLog,
): Promise<RunningService> {
  configureShutdown(lifecycle, config)

  const late: LateParts = {}
  const metrics = openMetrics(lifecycle, config, writer, 'worker', late)
  logLifecycle(lifecycle, log, metrics)
  const runtimeSettings = await openRuntimeSettings(lifecycle, config, log)

  late.tracing = await openTracing(lifecycle, config, log)
  const queue = await openQueueFromConfig(
    lifecycle,
    config,
    // With Redis no database is opened.
    () => openDatabaseFromConfig(lifecycle, config, log),
    log,
    late.tracing,
  )
  const workerMetrics = openWorkerMetrics(metrics, queue)

  const server = await listen(lifecycle, config, { log, metrics, runtimeSettings, queue, late })
  late.server = server
  const threads = openAnalysisPool(lifecycle, config)
  late.consumer = startTaskWorker(lifecycle, config, {
    ...{ queue, threads, metrics: workerMetrics, log },
    holdsDrainWindow: true,
  })

  lifecycle.markReady()
  log.info('listening', {
    url: server.url.href,
    version: getBuild(config).version,
    environment: config.ENVIRONMENT,
    ...describeBackends(config, 'worker'),
  })
  return { port: server.port, runtimeSettings }
}

/** Time for probes in flight after the tasks have had theirs, in ms. */
const lastProbeTimeoutMs = 100

/** A worker has no clients, so its drain window lasts as long as tasks run; probes are answered meanwhile. */
function configureShutdown(lifecycle: Lifecycle, config: Config): void {
  lifecycle.configure({
    drainMinMs: 0,
    drainQuietMs: 0,
    drainMaxMs: config.SHUTDOWN_TIMEOUT,
    shutdownTimeoutMs: lastProbeTimeoutMs,
  })
}

/** Parts that start after the metrics and the checks, which read them later. */
interface LateParts {
  server?: BoundServer
  consumer?: Consumer
  tracing?: Tracing | undefined
}

interface WorkerParts {
  readonly log: Log
  readonly metrics: Metrics
  readonly runtimeSettings: RuntimeSettings
  readonly queue: TaskQueue
  readonly late: LateParts
}

/** Serves `WORKER_PORT`, and the admin server when it has a separate port. */
async function listen(
  lifecycle: Lifecycle,
  config: Config,
  { log, metrics, runtimeSettings, queue, late }: WorkerParts,
): Promise<BoundServer> {
  const checks = createChecks([...queueChecks(queue, true, () => late.consumer), claimingCheck(queue)], {
    onChange: (change) => logCheckChange(log, change),
  })
  createCheckMetrics(metrics.registry, () => checks.results())
  const tokens = openManagementTokens(lifecycle, config, log)
  const management = { ...managementDeps(config, 'worker', tokens), lifecycle, checks, metrics, log }
  const admin = {
    settings: runtimeSettings,
    queue: localQueueControl(queue, log),
    canInjectFaults: false,
    takeHeapSnapshot: localHeapSnapshot,
    token: tokens.adminToken,
  }
  await openAdminServer(lifecycle, config, { ...management, admin })
  const app = createManagementApp({ ...management, admin: adminWithToken(config, admin) })
  lifecycle.onClose('deadlines', async () => app.requests.close())
  return await startStep(`listening on HOST ${config.HOST}, WORKER_PORT ${config.WORKER_PORT}`, () =>
    serve(lifecycle, {
      port: config.WORKER_PORT,
      hostname: config.HOST,
      idleTimeoutSeconds: Math.floor(config.IDLE_TIMEOUT / 1_000),
      fetch: app.fetch,
      literalPaths: app.literalPaths,
      isProbe: app.isProbe,
      describeInFlight: () => app.requests.describe(),
    }),
  )
}
