import { type Config, parseSecret, type SecretName } from '../config.ts'
import type { Lifecycle } from '../lifecycle/index.ts'
import type { Log } from '../telemetry/log/log.ts'
import { watchFiles } from './watch-files.ts'

/** The secrets that may change while the service runs. The others are addresses of databases, which need a restart. */
export type ChangingSecret = Exclude<SecretName, 'DATABASE_URL' | 'REDIS_URL'>

/**
 * Follows the file of a secret, if it has one. The content of the file replaces the secret at once. An unusable file is
 * logged, and the current secret stays valid.
 *
 * @param onChange called with each new value of the secret
 */
export function followSecret(
  lifecycle: Lifecycle,
  config: Config,
  log: Log,
  name: ChangingSecret,
  onChange: (secret: string) => void,
): void {
  const path = config[`${name}_FILE`]
  if (path === undefined) return
  let current = config[name]
  const apply = ([contents = '']: readonly string[]): void => {
    const secret = parseSecret(name, contents)
    if (secret === current) return
    current = secret
    onChange(secret)
    log.info('secret reloaded', { variable: `${name}_FILE` })
  }
  const onError = (error: unknown): void =>
    log.error('secret reload failed, keeping the current one', { variable: `${name}_FILE`, error })
  // The file may have changed since the configuration was read: the first poll compares it with the secret.
  const stopWatching = watchFiles([path], [], apply, onError, config.FILE_WATCH_INTERVAL)
  lifecycle.onClose(`${name}_FILE`, async () => stopWatching())
}

/** The tokens that `/metrics` and the admin routes require; undefined without one. They follow their files. */
export interface ManagementTokens {
  readonly metricsToken: (() => string) | undefined
  readonly adminToken: (() => string) | undefined
}

/** Opens `METRICS_TOKEN` and `ADMIN_TOKEN`. Call it once in a process; the lifecycle stops following their files. */
export function openManagementTokens(lifecycle: Lifecycle, config: Config, log: Log): ManagementTokens {
  const open = (name: 'ADMIN_TOKEN' | 'METRICS_TOKEN'): (() => string) | undefined => {
    let current = config[name]
    if (current === undefined) return undefined
    followSecret(lifecycle, config, log, name, (token) => {
      current = token
    })
    return () => current as string
  }
  return { metricsToken: open('METRICS_TOKEN'), adminToken: open('ADMIN_TOKEN') }
}
