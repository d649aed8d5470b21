import manifest from '../package.json' with { type: 'json' }
import { type Config, parseConfig } from './config.ts'
import { createApp } from './http/app.ts'
import {
  type BoundServer,
  closeTimeoutMs,
  createChecks,
  type Lifecycle,
  serve,
  shutdownBudgetMs,
} from './lifecycle/index.ts'
import { logLifecycle } from './lifecycle-log.ts'
import { createLineSink } from './telemetry/line-sink.ts'
import { createLog, type Log } from './telemetry/log.ts'
import { createMetrics } from './telemetry/metrics.ts'

/** The environment is not what it should be; the message lists every problem. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  constructor(readonly problems: readonly string[]) {
    super(
      `Tally cannot start, for its environment is wrong:\n${problems.map((one) => `  ${one}`).join('\n')}`,
    )
  }
}

export interface RunningServer {
  readonly port: number
  readonly url: URL
  /** Resolves when every log line is written. */
  flush(): Promise<void>
}

/**
 * The server process: config → log → app → listening → ready. Everything opened here is closed by the
 * lifecycle, in reverse order.
 *
 * @throws ConfigError for an environment that is wrong; what Bun throws when the port cannot be had.
 */
export async function startServer(
  lifecycle: Lifecycle,
  env: Readonly<Record<string, string | undefined>>,
): Promise<RunningServer> {
  const parsed = parseConfig(env)
  if (!parsed.ok) throw new ConfigError(parsed.problems)
  const { config } = parsed

  const sink = createLineSink(Bun.stdout.writer())
  const log = createLog({
    level: config.LOG_LEVEL,
    format: config.LOG_FORMAT,
    service: config.SERVICE_NAME,
    instance: config.INSTANCE_NAME,
    sink,
  })
  lifecycle.configure({
    drainMinMs: config.DRAIN_MIN,
    drainQuietMs: config.DRAIN_QUIET,
    drainMaxMs: config.DRAIN_MAX,
    shutdownTimeoutMs: config.SHUTDOWN_TIMEOUT,
  })
  warnAboutBudget(config, log)

  const build = {
    service: config.SERVICE_NAME,
    version: config.SERVICE_VERSION ?? manifest.version,
    revision: config.SERVICE_REVISION,
  }
  let server: BoundServer | undefined
  const metrics = createMetrics({
    prefix: config.METRICS_PREFIX,
    build: { version: build.version, revision: build.revision },
    sources: {
      state: () => lifecycle.state.name,
      inFlight: () => server?.inFlight ?? 0,
      servedWhileDraining: () => server?.servedWhileDraining ?? 0,
      logLinesDropped: () => sink.dropped,
    },
  })
  logLifecycle(lifecycle, log, metrics)

  const app = createApp({
    build,
    instance: config.INSTANCE_NAME,
    lifecycle,
    checks: createChecks([]),
    metrics,
    log,
    limits: {
      maxNumbers: config.MAX_NUMBERS,
      maxTextLength: config.MAX_TEXT_LENGTH,
      bodyBytesMax: config.MAX_BODY_BYTES,
    },
    requestTimeoutMs: config.REQUEST_TIMEOUT,
    validationStatus: config.VALIDATION_STATUS,
    accessLog: config.ACCESS_LOG,
    debugRoutes: config.DEBUG_ROUTES,
  })
  lifecycle.onClose('deadlines', app.inFlight.close)

  server = serve(lifecycle, {
    port: config.PORT,
    hostname: config.HOST,
    idleTimeoutSeconds: Math.floor(config.IDLE_TIMEOUT / 1_000),
    fetch: app.fetch,
    isBackground: app.isBackground,
    describeInFlight: app.inFlight.describe,
  })
  lifecycle.markReady()
  log.info('listening', { url: server.url.href, version: build.version, environment: config.ENVIRONMENT })
  return { port: server.port, url: server.url, flush: log.flush }
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
