import { connectToPrimary, type PrimaryConnection } from '../cluster/worker-process.ts'
import type { Config } from '../config.ts'
import { compileDocumentSchema } from '../documents/json-schema.ts'
import { createApp } from '../http/app.ts'
import {
  type BoundServer,
  closeTimeoutMs,
  createChecks,
  type Lifecycle,
  serve,
  shutdownBudgetMs,
} from '../lifecycle/index.ts'
import type { Log } from '../telemetry/log/log.ts'
import { createWorkerMetrics } from '../telemetry/metrics/worker-metrics.ts'
import { openGates, securityOf } from './access.ts'
import { adminForToken, openOperationsPort, operationsOptions } from './admin-server.ts'
import { openAnalysisThreads } from './analysis-pool.ts'
import { withFaults } from './fault-injection.ts'
import { ownHeapSnapshot, writeHeapSnapshot } from './heap-snapshot.ts'
import { logCheck, logLifecycle } from './lifecycle-log.ts'
import type { OpenLog } from './logging.ts'
import { buildOf, openMetrics } from './metrics.ts'
import { openRuntimeSettings, type Running } from './runtime-settings.ts'
import { openConfiguredDatabase, openConfiguredQueue, openConfiguredStore, queueChecks } from './storage.ts'
import { startTaskWorker } from './task-worker.ts'
import { openCertificate } from './tls.ts'
import { openTracing } from './tracing.ts'

/**
 * What the kernel receives ahead for one connection. Measured with payloads of 18 MB one after another, p99 of
 * `/health`: 9 ms with the kernel's own choice, 3 ms with this. At a round trip of 50 ms it lets some 5 MB/s through.
 */
const receiveBufferBytes = 192 * 1024

/**
 * The server process: metrics → store, queue → app → listening → worker → ready. Everything opened here is closed by the
 * lifecycle, in reverse order.
 *
 * @param isWorkerProcess whether a supervisor has started this process, as one of several on the port.
 * @throws what Bun throws when the port cannot be had.
 */
export async function startServer(
  lifecycle: Lifecycle,
  config: Config,
  { log, sink }: OpenLog,
  isWorkerProcess: boolean,
): Promise<Running> {
  lifecycle.configure({
    drainMinMs: config.DRAIN_MIN,
    drainQuietMs: config.DRAIN_QUIET,
    drainMaxMs: config.DRAIN_MAX,
    shutdownTimeoutMs: config.SHUTDOWN_TIMEOUT,
  })
  warnAboutBudget(config, log)

  let server: BoundServer | undefined
  let primary: PrimaryConnection | undefined
  const metrics = openMetrics(lifecycle, config, sink, () => server)
  logLifecycle(lifecycle, log, metrics)

  const connected = Promise.withResolvers<PrimaryConnection>()
  const live = await openRuntimeSettings(
    lifecycle,
    config,
    log,
    isWorkerProcess ? async (change, by) => (await connected.promise).change(change, by) : undefined,
  )

  const tracing = await openTracing(lifecycle, config, log)
  const database = await openConfiguredDatabase(lifecycle, config)
  const store = openConfiguredStore(lifecycle, database, tracing)
  const queue = await openConfiguredQueue(lifecycle, config, async () => database, log, tracing)
  const workerMetrics = createWorkerMetrics(metrics.registry, () => queue.depth())
  const documentSchema = config.DATA_SCHEMA
    ? await compileDocumentSchema(await Bun.file(config.DATA_SCHEMA).json())
    : undefined

  const checks = createChecks(
    [
      { name: 'store', probe: () => store.ping(), required: config.READY_REQUIRES.includes('store') },
      ...queueChecks(queue, config.READY_REQUIRES.includes('queue')),
    ],
    { onChange: (change) => logCheck(log, change) },
  )
  const operations = { ...operationsOptions(config), lifecycle, checks, metrics, log }
  // Of several processes on a port, the supervisor has the one for operations.
  const admin = { live, injectsFaults: true, takeHeapSnapshot: ownHeapSnapshot }
  if (!isWorkerProcess) openOperationsPort(lifecycle, config, { ...operations, admin })

  const gates = await openGates(lifecycle, config, {
    log,
    metrics,
    peerOf: (request) => server?.remoteAddress(request),
  })
  const threads = openAnalysisThreads(lifecycle, config)
  const app = createApp({
    ...operations,
    admin: adminForToken(config, admin),
    scrape: isWorkerProcess ? () => primary?.scrape() ?? metrics.registry.metrics() : undefined,
    store,
    documentSchema,
    queue,
    threads,
    limits: {
      maxNumbers: config.MAX_NUMBERS,
      maxTextLength: config.MAX_TEXT_LENGTH,
      bodyBytesMax: config.MAX_BODY_BYTES,
      heldBytesMax: Math.max(config.MAX_HELD_BYTES, config.MAX_BODY_BYTES),
      documentBytesMax: config.MAX_DOCUMENT_BYTES,
    },
    debugRoutes: config.DEBUG_ROUTES,
    basePath: config.BASE_PATH ?? '',
    corsOrigins: config.CORS_ORIGIN,
    compress: config.COMPRESSION,
    overload: { inFlightMax: config.MAX_IN_FLIGHT, lateMs: config.SHED_AFTER },
    gates: withFaults(gates, config, live, metrics.registry),
    security: securityOf(config),
    tracing,
  })
  lifecycle.onClose('deadlines', app.inFlight.close)
  lifecycle.addTarget({
    name: 'event streams',
    beginDrain: app.endStreams,
    finish: async () => {},
    abort: () => [],
  })

  const tls = await openCertificate(lifecycle, config, log)
  server = serve(lifecycle, {
    port: config.PORT,
    certificate: tls?.certificate,
    hostname: config.HOST,
    reusePort: isWorkerProcess,
    receiveBufferBytes,
    idleTimeoutSeconds: Math.floor(config.IDLE_TIMEOUT / 1_000),
    fetch: app.fetch,
    isProbe: app.isBackground,
    describeInFlight: app.inFlight.describe,
  })
  // Of several processes, the supervisor replaces those that have the certificate before it.
  if (!isWorkerProcess) tls?.onChange(server.reloadCertificate)
  if (isWorkerProcess) {
    primary = connectToPrimary(
      { lifecycle, registry: metrics.registry, checks, settings: live, writeHeapSnapshot, port: server.port },
      () => process.kill(process.pid, 'SIGTERM'),
    )
    connected.resolve(primary)
    await primary.settingsApplied
  }
  if (config.WORKER === 'embedded')
    startTaskWorker(lifecycle, config, { queue, threads, metrics: workerMetrics, log })
  lifecycle.markReady()
  log.info('listening', {
    url: server.url.href,
    version: buildOf(config).version,
    environment: config.ENVIRONMENT,
  })
  return { port: server.port, live }
}

/** A budget over the platform's grace period ends in SIGKILL, and that in lost requests: say so at once. */
function warnAboutBudget(config: Config, log: Log): void {
  if (config.GRACE_PERIOD === 0) return
  const budgetMs = shutdownBudgetMs({
    preStopMs: config.PRE_STOP,
    drainMaxMs: config.DRAIN_MAX,
    shutdownTimeoutMs: config.SHUTDOWN_TIMEOUT,
    closeTimeoutMs,
  })
  if (budgetMs <= config.GRACE_PERIOD) return
  log.warn('a shutdown may take longer than the platform waits: requests would be lost', {
    budget_ms: budgetMs,
    grace_period_ms: config.GRACE_PERIOD,
    made_of: 'PRE_STOP + DRAIN_MAX + SHUTDOWN_TIMEOUT + 5s to close',
  })
}
