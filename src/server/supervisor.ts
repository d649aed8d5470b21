import { Registry } from 'prom-client'
import { snapshotMetrics } from '../cluster/messages.ts'
import { Supervisor } from '../cluster/supervisor.ts'
import type { Config } from '../config.ts'
import { closeTimeoutMs, type Lifecycle, shutdownBudgetMs } from '../lifecycle/index.ts'
import type { RuntimeSettings } from '../runtime-settings/runtime-settings.ts'
import type { Log } from '../telemetry/log/log.ts'
import { createRequestMetrics } from '../telemetry/metrics/request-metrics.ts'
import { logLifecycle } from './lifecycle-log.ts'
import type { RunningService } from './run.ts'
import { openRuntimeSettings } from './runtime-settings.ts'
import { startStep } from './start-step.ts'
import { openCertificate } from './tls.ts'

/** How long the worker processes may take beyond their own budget before they are killed, in ms. */
const marginMs = 1_000

/**
 * Starts the primary process: a supervisor of `WEB_CONCURRENCY` servers on one port, each with its own drain.
 * SIGHUP and a changed certificate begin a rolling restart.
 *
 * @throws when the first worker processes cannot start
 */
export async function startSupervisor(
  lifecycle: Lifecycle,
  config: Config,
  log: Log,
): Promise<RunningService> {
  logLifecycle(lifecycle, log)
  let supervisor: Supervisor | undefined
  let restartRequested = false
  // Registered before anything starts: the default action of SIGHUP would end this process. An early signal waits.
  process.on('SIGHUP', () => {
    if (supervisor === undefined) restartRequested = true
    else void supervisor.rollingRestart()
  })
  const settings = await openRuntimeSettings(lifecycle, config, log)
  const tls = await startStep('TLS_CERT and TLS_KEY', () => openCertificate(lifecycle, config, log))
  if (config.METRICS_PORT !== undefined)
    await openSharedAdminServer(lifecycle, config, log, settings, () => supervisor)
  const created = new Supervisor({
    count: config.WEB_CONCURRENCY,
    command: ownCommand(),
    env: process.env,
    log,
    settings,
    stopTimeoutMs: workerBudgetMs(config),
    heartbeatTimeoutMs: config.HEARTBEAT_TIMEOUT,
  })
  supervisor = created
  // Before the first process starts: a shutdown during the start must not leave one behind.
  addToLifecycle(lifecycle, config, created)
  if (restartRequested) void created.rollingRestart()
  await created.start()
  lifecycle.markReady()
  tls?.onChange(() => renewCertificate(lifecycle, config, created))
  return { port: created.port, runtimeSettings: settings }
}

/**
 * Replaces the processes, which read the certificate when they start, until all of them show it. Without a new attempt,
 * those that were not replaced would show the old one until the next renewal.
 */
async function renewCertificate(lifecycle: Lifecycle, config: Config, supervisor: Supervisor): Promise<void> {
  const { name } = await supervisor.rollingRestart()
  if (name === 'finished' || lifecycle.draining) return
  // A minute by default.
  const retryMs = 30 * config.FILE_WATCH_INTERVAL
  setTimeout(() => void renewCertificate(lifecycle, config, supervisor), retryMs).unref()
}

/** From SIGTERM to the exit of a worker process, in ms. */
function workerBudgetMs(config: Config): number {
  const budgetMs = shutdownBudgetMs({
    preStopMs: 0,
    drainMaxMs: config.DRAIN_MAX,
    shutdownTimeoutMs: config.SHUTDOWN_TIMEOUT,
    closeTimeoutMs,
  })
  return budgetMs + marginMs
}

/** Makes the shutdown wait for the worker processes, which have their own drain windows. */
function addToLifecycle(lifecycle: Lifecycle, config: Config, supervisor: Supervisor): void {
  lifecycle.configure({ drainMinMs: 0, drainMaxMs: 0, shutdownTimeoutMs: workerBudgetMs(config) })
  lifecycle.addTarget({
    name: 'processes',
    beginDrain: () => supervisor.drain(),
    finish: () => supervisor.exited(),
    abort: () => supervisor.kill(),
  })
  // A second SIGINT exits at once. No worker process may outlive this one.
  process.on('exit', () => void supervisor.kill())
}

/** Opens `METRICS_PORT` for all worker processes. The metrics include the requests to this port itself. */
async function openSharedAdminServer(
  lifecycle: Lifecycle,
  config: Config,
  log: Log,
  settings: RuntimeSettings,
  supervisor: () => Supervisor | undefined,
): Promise<void> {
  // Loaded only here: a supervisor without this port does not need the HTTP code in its memory.
  const { managementDeps, openAdminServer } = await import('./admin-server.ts')
  const { remoteHeapSnapshot } = await import('./heap-snapshot.ts')
  const { remoteQueueControl } = await import('./queue-control.ts')
  const { openManagementTokens } = await import('./secrets.ts')
  const tokens = openManagementTokens(lifecycle, config, log)
  const registry = new Registry()
  await openAdminServer(lifecycle, config, {
    ...managementDeps(config, 'server', tokens),
    lifecycle,
    checks: { results: async () => (await supervisor()?.checks()) ?? {} },
    metrics: { registry, requests: createRequestMetrics(registry, config.METRICS_PREFIX) },
    scrape: async () => supervisor()?.scrape(await snapshotMetrics(registry)) ?? registry.metrics(),
    log,
    admin: {
      settings,
      queue: remoteQueueControl(async (call) => supervisor()?.callQueue(call)),
      canInjectFaults: true,
      token: tokens.adminToken,
      takeHeapSnapshot: (pid) =>
        remoteHeapSnapshot(config.DATA_DIR, async (path) => supervisor()?.writeHeapSnapshot(path, pid)),
    },
  })
}

/** The command that started this process: from source, from a bundle, or as a compiled binary. */
function ownCommand(): string[] {
  return Bun.main.startsWith('/$bunfs') ? [process.execPath] : [process.execPath, Bun.main]
}
