import type { Config } from '../config.ts'
import { createOperationsApp, type OperationsAppOptions } from '../http/app.ts'
import { type Lifecycle, serveAdmin } from '../lifecycle/index.ts'
import { operationsGates } from './access.ts'
import { buildOf } from './metrics.ts'

type ConfiguredOptions = Pick<
  OperationsAppOptions,
  'build' | 'instance' | 'requestTimeoutMs' | 'validationStatus' | 'accessLog' | 'metricsMoved' | 'gates'
>

/** What is the same wherever operations are answered, as the configuration has it. */
export function operationsOptions(config: Config): ConfiguredOptions {
  return {
    build: buildOf(config),
    instance: config.INSTANCE_NAME,
    requestTimeoutMs: config.REQUEST_TIMEOUT,
    validationStatus: config.VALIDATION_STATUS,
    accessLog: config.ACCESS_LOG,
    metricsMoved: config.METRICS_PORT !== undefined,
    gates: operationsGates(config),
  }
}

/**
 * What an operator can change over the application port: something, when there is no port for it and a token keeps
 * clients from it.
 */
export function adminForToken<Admin>(config: Config, admin: Admin): Admin | undefined {
  return config.METRICS_PORT === undefined && config.ADMIN_TOKEN !== undefined ? admin : undefined
}

/**
 * Opens `METRICS_PORT`, when it is set: metrics and admin routes on a port that no client reaches, and the
 * probes there too. It goes on answering while the service drains, and is closed last.
 *
 * @throws what Bun throws when the port cannot be had.
 */
export function openOperationsPort(
  lifecycle: Lifecycle,
  config: Config,
  options: OperationsAppOptions,
): void {
  if (config.METRICS_PORT === undefined) return
  const app = createOperationsApp({ ...options, metricsMoved: false })
  const server = serveAdmin(lifecycle, {
    port: config.METRICS_PORT,
    hostname: config.HOST,
    idleTimeoutSeconds: Math.floor(config.IDLE_TIMEOUT / 1_000),
    fetch: app.fetch,
  })
  lifecycle.onClose('deadlines of the operations port', app.inFlight.close, { last: true })
  options.log.info('operations port', { url: server.url.href })
}
