import type { Config } from '../config.ts'
import { createManagementApp, type ManagementDeps } from '../http/app.ts'
import type { AdminDeps } from '../http/routes/admin.ts'
import { type Lifecycle, serveAdmin } from '../lifecycle/index.ts'
import { describeBackends } from './backends.ts'
import { getBuild } from './metrics.ts'
import type { ManagementTokens } from './secrets.ts'
import { startStep } from './start-step.ts'

type ConfiguredDeps = Pick<
  ManagementDeps,
  | 'build'
  | 'backends'
  | 'instance'
  | 'requestTimeoutMs'
  | 'validationStatus'
  | 'accessLog'
  | 'logBytes'
  | 'hasMetrics'
  | 'metricsToken'
  | 'basePath'
>

/** The configuration of probes and metrics, for every port that serves them. */
export function managementDeps(
  config: Config,
  role: 'server' | 'worker',
  { metricsToken }: Pick<ManagementTokens, 'metricsToken'>,
): ConfiguredDeps {
  return {
    build: getBuild(config),
    backends: describeBackends(config, role),
    instance: config.INSTANCE_NAME,
    requestTimeoutMs: config.REQUEST_TIMEOUT,
    validationStatus: config.VALIDATION_STATUS,
    accessLog: config.ACCESS_LOG,
    logBytes: config.LOG_FIELDS.includes('bytes'),
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
 * @throws StartError when the port is not available
 */
export async function openAdminServer(
  lifecycle: Lifecycle,
  config: Config,
  deps: ManagementDeps,
): Promise<void> {
  const { METRICS_PORT: port, METRICS_HOST, HOST } = config
  if (port === undefined) return
  const app = createManagementApp({ ...deps, hasMetrics: true })
  const hostname = METRICS_HOST ?? HOST
  const address = METRICS_HOST === undefined ? '' : `METRICS_HOST ${METRICS_HOST}, `
  const server = await startStep(`listening on ${address}METRICS_PORT ${port}`, () =>
    serveAdmin(lifecycle, {
      port,
      hostname,
      idleTimeoutSeconds: Math.floor(config.IDLE_TIMEOUT / 1_000),
      fetch: app.fetch,
      literalPaths: app.literalPaths,
    }),
  )
  lifecycle.onClose('deadlines of the admin server', async () => app.requests.close(), { last: true })
  deps.log.info('admin server listening', { url: server.url.href })
}
