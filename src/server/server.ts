import type { AnalysisPool } from '../analysis/pool/jobs.ts'
import { heapSnapshotTimeoutMs } from '../cluster/messages.ts'
import { connectToPrimary, type PrimaryConnection } from '../cluster/worker-process.ts'
import type { Config } from '../config.ts'
import { type DocumentChecker, openDocumentChecker } from '../documents/checking/document-checker.ts'
import type { DocumentStore } from '../documents/document-store.ts'
import { createApp, type ServiceApp } from '../http/app.ts'
import type { HeapSnapshot } from '../http/routes/heap.ts'
import {
  type BoundServer,
  type Certificate,
  type Checks,
  closeTimeoutMs,
  createChecks,
  type Lifecycle,
  serve,
  shutdownBudgetMs,
} from '../lifecycle/index.ts'
import type { RuntimeSettings } from '../runtime-settings/runtime-settings.ts'
import type { Consumer, TaskQueue } from '../tasks/task-queue.ts'
import type { Log } from '../telemetry/log/log.ts'
import { createCertificateMetrics } from '../telemetry/metrics/certificate-metrics.ts'
import { createCheckMetrics } from '../telemetry/metrics/check-metrics.ts'
import type { Metrics } from '../telemetry/metrics/metrics.ts'
import type { Tracing } from '../telemetry/tracing/tracing.ts'
import { describeSecurity, openChecks, openDescribeRequest } from './access.ts'
import { adminWithToken, managementDeps, openAdminServer } from './admin-server.ts'
import { countThreads, openAnalysisPool } from './analysis-pool.ts'
import { describeBackends } from './backends.ts'
import { openConsole } from './console.ts'
import { localHeapSnapshot, writeHeapSnapshot } from './heap-snapshot.ts'
import { logCheckChange, logLifecycle } from './lifecycle-log.ts'
import type { ProcessLog } from './logging.ts'
import { getBuild, openMetrics } from './metrics.ts'
import { handleQueueCall, localQueueControl } from './queue-control.ts'
import type { RunningService } from './run.ts'
import { openRuntimeSettings } from './runtime-settings.ts'
import { openManagementTokens } from './secrets.ts'
import { startStep } from './start-step.ts'
import { openDatabaseFromConfig, openQueueFromConfig, openStoreFromConfig, queueChecks } from './storage.ts'
import { openWorkerMetrics, startTaskWorker } from './task-worker.ts'
import { openCertificate } from './tls.ts'
import { openTracing } from './tracing.ts'

export interface ServerOptions {
  /** Whether a supervisor started this process as one of several on the port. Default false. */
  readonly supervised?: boolean
}

/**
 * The server: metrics → runtime settings → storage → app → listening → task worker → ready. The lifecycle closes
 * everything in reverse order.
 *
 * @throws what Bun throws when the port is not available.
 */
export async function startServer(
  lifecycle: Lifecycle,
  config: Config,
  { log, writer }: ProcessLog,
  { supervised = false }: ServerOptions = {},
): Promise<RunningService> {
  // A closed terminal signals every process of its group; only the supervisor acts on SIGHUP.
  if (supervised) process.on('SIGHUP', () => {})
  configureShutdown(lifecycle, config)
  warnAboutGracePeriod(config, log)

  const late: LateParts = {}
  const metrics = openMetrics(lifecycle, config, writer, 'server', late)
  logLifecycle(lifecycle, log, metrics)

  const supervisor = Promise.withResolvers<PrimaryConnection>()
  const runtimeSettings = await openRuntimeSettings(lifecycle, config, log, {
    decide: supervised ? async (change, by) => (await supervisor.promise).change(change, by) : undefined,
  })

  const storage = await openStorage(lifecycle, config, log)
  const { queue } = storage
  late.tracing = storage.tracing
  const workerMetrics = openWorkerMetrics(metrics, queue)
  const checks = createServerChecks(config, storage, log, late)
  createCheckMetrics(metrics.registry, () => checks.results())
  const pool = openAnalysisPool(lifecycle, config)

  const app = await openApp(
    {
      lifecycle,
      config,
      log,
      metrics,
      runtimeSettings,
      storage,
      // Includes the state of the other processes as far as this one knows it; the supervisor merges all answers.
      checks: { results: async () => ({ ...(await checks.results()), ...late.supervisor?.checks() }) },
      pool,
      late,
    },
    { supervised },
  )
  late.app = app
  const tls = await startStep('TLS_CERT and TLS_KEY', () => openCertificate(lifecycle, config, log))
  if (tls !== undefined) createCertificateMetrics(metrics.registry, tls.expiresAt)
  const server = await startStep(`listening on HOST ${config.HOST}, PORT ${config.PORT}`, () =>
    listen(lifecycle, config, app, tls?.certificate, supervised),
  )
  late.server = server

  if (supervised) {
    late.supervisor = connectToPrimary({
      lifecycle,
      registry: metrics.registry,
      checks,
      settings: runtimeSettings,
      writeHeapSnapshot,
      handleQueueCall: (call) => handleQueueCall(localQueueControl(queue, log), call),
      port: server.port,
    })
    supervisor.resolve(late.supervisor)
    await late.supervisor.settingsApplied
  } else {
    // Under a supervisor, a changed certificate starts a rolling restart instead.
    tls?.onChange(server.reloadCertificate)
  }
  if (config.WORKER === 'embedded')
    late.consumer = startTaskWorker(lifecycle, config, { queue, threads: pool, metrics: workerMetrics, log })

  lifecycle.markReady()
  setTimeout(app.compileRoutes, compileDelayMs).unref()
  log.info('listening', {
    url: server.url.href,
    version: getBuild(config).version,
    environment: config.ENVIRONMENT,
    ...describeBackends(config, 'server'),
    ...describePages(config, server.url),
  })
  return { port: server.port, runtimeSettings }
}

/** Fields for people in the log line of the start: URLs that open in a browser. */
function describePages({ BASE_PATH = '', CONSOLE, WORKER }: Config, url: URL): Record<string, string> {
  const address = new URL(`${BASE_PATH}/`, url)
  if (address.hostname === '0.0.0.0' || address.hostname === '[::]') address.hostname = 'localhost'
  const docs = new URL('docs', address).href
  return { worker: WORKER, docs, ...(CONSOLE && { console: address.href }) }
}

/** The first probes come before the routes are compiled, in ms. */
const compileDelayMs = 100

/** Parts that start after the metrics and the app, which read them later. */
interface LateParts {
  server?: BoundServer
  supervisor?: PrimaryConnection
  app?: ServiceApp
  consumer?: Consumer
  tracing?: Tracing | undefined
}

function configureShutdown(lifecycle: Lifecycle, config: Config): void {
  lifecycle.configure({
    drainMinMs: config.DRAIN_MIN,
    drainQuietMs: config.DRAIN_QUIET,
    drainMaxMs: config.DRAIN_MAX,
    shutdownTimeoutMs: config.SHUTDOWN_TIMEOUT,
  })
}

/** After its grace period the platform sends SIGKILL, which loses the requests that are still in flight. */
function warnAboutGracePeriod(config: Config, log: Log): void {
  if (config.GRACE_PERIOD === 0) return
  const budgetMs = shutdownBudgetMs({
    preStopMs: config.PRE_STOP,
    drainMaxMs: config.DRAIN_MAX,
    shutdownTimeoutMs: config.SHUTDOWN_TIMEOUT,
    closeTimeoutMs,
  })
  if (budgetMs <= config.GRACE_PERIOD) return
  log.warn('shutdown budget exceeds the grace period, requests may be lost', {
    budget_ms: budgetMs,
    grace_period_ms: config.GRACE_PERIOD,
    made_of: 'PRE_STOP + DRAIN_MAX + SHUTDOWN_TIMEOUT + 5s to close',
  })
}

interface Storage {
  readonly store: DocumentStore
  readonly queue: TaskQueue
  readonly checker: DocumentChecker
  readonly tracing: Awaited<ReturnType<typeof openTracing>>
}

/** Documents and tasks, traced when tracing is enabled. */
async function openStorage(lifecycle: Lifecycle, config: Config, log: Log): Promise<Storage> {
  const tracing = await openTracing(lifecycle, config, log)
  const database = await openDatabaseFromConfig(lifecycle, config, log)
  const store = openStoreFromConfig(lifecycle, database, tracing)
  const queue = await openQueueFromConfig(lifecycle, config, async () => database, log, tracing)
  const schema = config.DATA_SCHEMA === undefined ? undefined : await readSchema(config.DATA_SCHEMA)
  const checker = await startStep(schema === undefined ? 'checking documents' : 'DATA_SCHEMA', () =>
    openDocumentChecker({ schema, maxThreads: countThreads(config) }),
  )
  lifecycle.onClose('document checks', async () => checker.close())
  return { store, queue, checker, tracing }
}

/** @throws Error that names the file when it cannot be read, or is not JSON */
async function readSchema(path: string): Promise<unknown> {
  try {
    return await Bun.file(path).json()
  } catch (error) {
    throw new Error(`DATA_SCHEMA cannot be read: ${(error as Error).message}`, { cause: error })
  }
}

function createServerChecks(
  { READY_REQUIRES }: Config,
  { store, queue }: Storage,
  log: Log,
  late: LateParts,
): Checks {
  return createChecks(
    [
      { name: 'store', probe: () => store.ping(), required: READY_REQUIRES.includes('store') },
      ...queueChecks(queue, READY_REQUIRES.includes('queue'), () => late.consumer),
    ],
    { onChange: (change) => logCheckChange(log, change) },
  )
}

interface AppParts {
  readonly lifecycle: Lifecycle
  readonly config: Config
  readonly log: Log
  readonly metrics: Metrics
  readonly runtimeSettings: RuntimeSettings
  readonly storage: Storage
  readonly checks: Checks
  readonly pool: AnalysisPool
  readonly late: LateParts
}

/** The supervisor must not mistake a process that writes a heap snapshot for a hung one. */
async function takeHeapSnapshot(
  supervisor: PrimaryConnection | undefined,
  pid: number | undefined,
): Promise<HeapSnapshot | undefined> {
  const take = () => localHeapSnapshot(pid)
  return supervisor === undefined ? await take() : await supervisor.whileBusy(heapSnapshotTimeoutMs, take)
}

/** The HTTP app, and the admin server when it has a separate port. */
async function openApp(
  { lifecycle, config, log, metrics, runtimeSettings, storage, checks, pool, late }: AppParts,
  { supervised }: ServerOptions,
): Promise<ServiceApp> {
  const tokens = openManagementTokens(lifecycle, config, log)
  const management = { ...managementDeps(config, 'server', tokens), lifecycle, checks, metrics, log }
  const admin = {
    settings: runtimeSettings,
    queue: localQueueControl(storage.queue, log),
    canInjectFaults: true,
    takeHeapSnapshot: (pid: number | undefined) => takeHeapSnapshot(late.supervisor, pid),
    token: tokens.adminToken,
  }
  // The supervisor serves METRICS_PORT for all of its processes.
  if (!supervised) await openAdminServer(lifecycle, config, { ...management, admin })

  const remoteAddress = (request: Request) => late.server?.remoteAddress(request)
  const requestChecks = await openChecks(lifecycle, config, { log, metrics, runtimeSettings, remoteAddress })
  const app = createApp({
    ...management,
    ...storage,
    ...requestChecks,
    console: openConsole(config, requestChecks),
    describeRequest: await openDescribeRequest(config, remoteAddress),
    pool,
    admin: adminWithToken(config, admin),
    scrape: supervised ? () => late.supervisor?.scrape() ?? metrics.registry.metrics() : undefined,
    limits: {
      maxNumbers: config.MAX_NUMBERS,
      maxTextLength: config.MAX_TEXT_LENGTH,
      maxBodyBytes: config.MAX_BODY_BYTES,
      maxBufferedBytes: Math.max(config.MAX_HELD_BYTES, config.MAX_BODY_BYTES),
      maxResponseBytes: config.MAX_HELD_RESPONSE_BYTES,
      maxDocumentBytes: Math.min(config.MAX_DOCUMENT_BYTES, config.MAX_BODY_BYTES),
    },
    idleTimeoutMs: config.IDLE_TIMEOUT,
    debugRoutes: config.DEBUG_ROUTES,
    basePath: config.BASE_PATH ?? '',
    cors:
      config.CORS_ORIGIN === undefined
        ? undefined
        : { origins: config.CORS_ORIGIN, headers: config.CORS_HEADERS },
    compress: config.COMPRESSION,
    overload: { maxInFlight: config.MAX_IN_FLIGHT, maxLagMs: config.SHED_AFTER },
    security: describeSecurity(config),
    payloadFastPath: config.PAYLOAD_FAST_PATH,
  })
  lifecycle.onClose('deadlines', async () => app.requests.close())
  // An event stream would hold up the drain: end it, and the client reconnects elsewhere.
  lifecycle.addTarget({
    name: 'event streams',
    beginDrain: app.endStreams,
    finish: async () => {},
    abort: () => [],
  })
  return app
}

/**
 * The bytes of a connection that the kernel buffers before this process reads them. The kernel's default is larger, and
 * each large body would then delay short requests for longer. Less would slow down uploads over long distances.
 */
const receiveBufferBytes = 192 * 1024

function listen(
  lifecycle: Lifecycle,
  config: Config,
  app: ServiceApp,
  certificate: Certificate | undefined,
  reusePort: boolean,
): BoundServer {
  return serve(lifecycle, {
    port: config.PORT,
    certificate,
    hostname: config.HOST,
    reusePort,
    receiveBufferBytes,
    idleTimeoutSeconds: Math.floor(config.IDLE_TIMEOUT / 1_000),
    fetch: app.fetch,
    literalPaths: app.literalPaths,
    isProbe: app.isProbe,
    describeInFlight: () => app.requests.describe(),
  })
}
