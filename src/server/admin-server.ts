import type { Config } from '../config.ts'
import { createManagementApp, type ManagementDeps } from '../http/app.ts'
import type { AdminDeps } from '../http/routes/admin.ts'
import { type Lifecycle, serveAdmin } from '../lifecycle/index.ts'
import { getBuild } from './metrics.ts'
import type { ManagementTokens } from './secrets.ts'

type ConfiguredDeps = Pick<
  ManagementDeps,
  | 'build'
  | 'instance'
  | 'requestTimeoutMs'
  | 'validationStatus'
  | 'accessLog'
  | 'hasMetrics'
  | 'metricsToken'
  | 'basePath'
>

/** What the configuration says about probes and metrics, for every port that answers them. */
export function managementDeps(
  config: Config,
  { metricsToken }: Pick<ManagementTokens, 'metricsToken'>,
): ConfiguredDeps {
  return {
    build: getBuild(config),
    instance: config.INSTANCE_NAME,
    requestTimeoutMs: config.REQUEST_TIMEOUT,
    validationStatus: config.VALIDATION_STATUS,
    accessLog: config.ACCESS_LOG,
    hasMetrics: config.METRICS_PORT === undefined,
    metricsToken,
  }
}

/** The admin routes of the application port: only without an admin port, and with a token that keeps clients out. */
export function adminWithToken(config: Config, admin: AdminDeps): AdminDeps | undefined {
  const { METRICS_PORT, ADMIN_TOKEN } = config
  return METRICS_PORT === undefined && ADMIN_TOKEN !== undefined ? admin : undefined
}

/**
 * Opens `METRICS_PORT`, if it is set: metrics, admin routes and probes on a port that no client reaches. It still answers
 * while the service drains, and closes last.
 *
 * @throws what Bun throws when the port is not available
 */
export function openAdminServer(lifecycle: Lifecycle, config: Config, deps: ManagementDeps): void {
  if (config.METRICS_PORT === undefined) return
  const app = createManagementApp({ ...deps, hasMetrics: true })
  const server = serveAdmin(lifecycle, {
    port: config.METRICS_PORT,
    hostname: config.HOST,
    idleTimeoutSeconds: Math.floor(config.IDLE_TIMEOUT / 1_000),
    fetch: app.fetch,
    literalPaths: app.literalPaths,
  })
  lifecycle.onClose('deadlines of the admin server', async () => app.requests.close(), { last: true })
  deps.log.info('admin server listening', { url: server.url.href })
}
