import type { Config } from '../config.ts'
import type { Lifecycle } from '../lifecycle/index.ts'
import {
  type ChangeSettings,
  createRuntimeSettings,
  type RuntimeSettings,
} from '../runtime-settings/runtime-settings.ts'
import { noFaults, type Settings } from '../runtime-settings/settings.ts'
import type { Log, LogFields } from '../telemetry/log/log.ts'
import { readTexts, watchFiles } from './watch-files.ts'

export interface RuntimeSettingsOptions {
  /**
   * Sends a change to the process that decides about changes. That process then also follows `CONFIG_FILE`.
   * Default: this process applies and logs changes.
   */
  readonly decide?: ChangeSettings | undefined
}

/**
 * The settings that an operator can change while the process runs: at first those of the configuration and of
 * `CONFIG_FILE`. Log level and readiness follow them.
 */
export async function openRuntimeSettings(
  lifecycle: Lifecycle,
  config: Config,
  log: Log,
  { decide }: RuntimeSettingsOptions = {},
): Promise<RuntimeSettings> {
  const applyAndLog: ChangeSettings = async (change, by) => {
    const before = runtimeSettings.current
    const after = { ...before, ...change }
    const logChange = (): void => log.warn('settings changed', { by, ...differences(before, after) })
    // A change to the level `error` would hide its own line.
    if (after.logLevel === 'error') logChange()
    await runtimeSettings.apply(after)
    if (after.logLevel !== 'error') logChange()
  }
  const runtimeSettings = createRuntimeSettings(
    { enabled: true, logLevel: config.LOG_LEVEL, faults: noFaults },
    decide ?? applyAndLog,
  )
  runtimeSettings.subscribe(({ enabled, logLevel }) => {
    lifecycle.setEnabled(enabled)
    log.level = logLevel
  })
  if (config.CONFIG_FILE !== undefined && decide === undefined) {
    const stopFollowing = await followConfigFile(config.CONFIG_FILE, config, log, runtimeSettings)
    lifecycle.onClose('CONFIG_FILE', async () => stopFollowing())
  }
  return runtimeSettings
}

/**
 * Applies the settings of a file, now and after each change of it. An invalid file changes nothing.
 *
 * @returns stops following
 */
async function followConfigFile(
  path: string,
  config: Config,
  log: Log,
  runtimeSettings: RuntimeSettings,
): Promise<() => void> {
  const { parseSettingsFile } = await import('../runtime-settings/settings-file.ts')
  const apply = ([text = '']: readonly string[]): Promise<void> =>
    runtimeSettings.change(parseSettingsFile(text, config.LOG_LEVEL), 'CONFIG_FILE')
  const onError = (error: unknown): void =>
    log.error('CONFIG_FILE reload failed, keeping the current settings', { error })
  let initial: readonly string[] = []
  try {
    initial = await readTexts([path])
    await apply(initial)
  } catch (error) {
    onError(error)
  }
  return watchFiles([path], initial, apply, onError, config.FILE_WATCH_INTERVAL)
}

/** Switches the log level to debug, and back to the configured level: the action of SIGUSR2. */
export async function toggleDebug(
  { current, change }: RuntimeSettings,
  config: Config,
  log: Log,
): Promise<void> {
  const configured = config.LOG_LEVEL === 'debug' ? 'info' : config.LOG_LEVEL
  try {
    await change({ logLevel: current.logLevel === 'debug' ? configured : 'debug' }, 'SIGUSR2')
  } catch (error) {
    log.error('log level change failed', { error })
  }
}

/** The changed settings, under their names in the log. */
function differences(before: Settings, after: Settings): LogFields {
  return {
    ...(before.enabled !== after.enabled && { enabled: after.enabled }),
    ...(before.logLevel !== after.logLevel && { log_level: after.logLevel }),
    ...(!Bun.deepEquals(before.faults, after.faults) && { faults: after.faults }),
  }
}
