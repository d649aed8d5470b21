import { Registry } from 'prom-client'
import { snapshotOf } from '../cluster/messages.ts'
import { type Supervisor, startSupervisor } from '../cluster/supervisor.ts'
import type { Config } from '../config.ts'
import { closeTimeoutMs, type Lifecycle, shutdownBudgetMs } from '../lifecycle/index.ts'
import type { Live } from '../runtime-settings/runtime-settings.ts'
import type { Log } from '../telemetry/log/log.ts'
import { createRequestMetrics } from '../telemetry/metrics/request-metrics.ts'
import { logLifecycle } from './lifecycle-log.ts'
import type { RunningService } from './run.ts'
import { openRuntimeSettings } from './runtime-settings.ts'
import { openCertificate } from './tls.ts'

/** What the processes may take beyond their own budget before they are killed, in ms. */
const marginMs = 1_000

/**
 * The supervising process: `WEB_CONCURRENCY` servers on one port, each with a drain of its own; SIGHUP
 * rolls them one by one.
 *
 * @throws when the first processes cannot start.
 */
export async function startProcesses(
  lifecycle: Lifecycle,
  config: Config,
  log: Log,
): Promise<RunningService> {
  logLifecycle(lifecycle, log)
  // Before anything is started, for the signal's own action would end this process. What comes early is done late.
  let rollWanted = false
  let roll = (): void => {
    rollWanted = true
  }
  process.on('SIGHUP', () => roll())
  const live = await openRuntimeSettings(lifecycle, config, log)
  const tls = await openCertificate(lifecycle, config, log)
  let running: Supervisor | undefined
  if (config.METRICS_PORT !== undefined) await openOperations(lifecycle, config, log, live, () => running)
  const supervisor = await startSupervisor({
    count: config.WEB_CONCURRENCY,
    command: ownCommand(),
    env: process.env,
    log,
    live,
  })
  running = supervisor
  lifecycle.configure({
    // The window is the servers' own; here is only the wait for them.
    drainMinMs: 0,
    drainMaxMs: 0,
    shutdownTimeoutMs:
      marginMs +
      shutdownBudgetMs({
        preStopMs: 0,
        drainMaxMs: config.DRAIN_MAX,
        shutdownTimeoutMs: config.SHUTDOWN_TIMEOUT,
        closeTimeoutMs,
      }),
  })
  lifecycle.addTarget({
    name: 'processes',
    beginDrain: supervisor.drain,
    finish: supervisor.gone,
    cut: supervisor.kill,
  })
  // Somebody at a terminal insists (a second SIGINT): nothing may outlive this process.
  process.on('exit', () => void supervisor.kill())
  lifecycle.markReady()
  roll = () => void supervisor.roll()
  if (rollWanted) roll()
  tls?.onChange(() => supervisor.roll())
  return { port: supervisor.port, runtimeSettings: live }
}

/** The supervisor answers for all of its processes, and adds what it has counted itself: these requests. */
async function openOperations(
  lifecycle: Lifecycle,
  config: Config,
  log: Log,
  live: Live,
  supervisor: () => Supervisor | undefined,
): Promise<void> {
  // Loaded only here: a supervisor without a port need not hold everything that speaks HTTP.
  const { openAdminServer, managementDeps } = await import('./admin-server.ts')
  const { remoteHeapSnapshot } = await import('./heap-snapshot.ts')
  const registry = new Registry()
  openAdminServer(lifecycle, config, {
    ...managementDeps(config),
    lifecycle,
    checks: { results: async () => (await supervisor()?.checks()) ?? {} },
    metrics: { registry, requests: createRequestMetrics(registry, config.METRICS_PREFIX) },
    scrape: async () => supervisor()?.scrape(await snapshotOf(registry)) ?? registry.metrics(),
    log,
    admin: {
      settings: live,
      canInjectFaults: true,
      token: config.ADMIN_TOKEN,
      takeHeapSnapshot: (pid) =>
        remoteHeapSnapshot(config.DATA_DIR, async (path) => supervisor()?.writeHeapSnapshot(path, pid)),
    },
  })
}

/** The command that started this process: from source, from a bundle, or as a compiled binary. */
function ownCommand(): string[] {
  return Bun.main.startsWith('/$bunfs') ? [process.execPath] : [process.execPath, Bun.main]
}
