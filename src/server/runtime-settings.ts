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

/**
 * The settings that an operator can change while the process runs, at first as the configuration and `CONFIG_FILE` have
 * them, and what follows them in every process: the log and the readiness.
 *
 * @param decide where another process decides about changes, and follows the file. Default: they hold, and are logged.
 */
export async function openRuntimeSettings(
  lifecycle: Lifecycle,
  config: Config,
  log: Log,
  decide?: ChangeSettings,
): Promise<RuntimeSettings> {
  const decideHere: ChangeSettings = async (change, by) => {
    const before = live.current
    const after = { ...before, ...change }
    const tell = (): void => log.warn('settings changed', { by, ...differences(before, after) })
    // Who turns the log down to errors should still find that in it.
    if (after.logLevel === 'error') tell()
    await live.apply(after)
    if (after.logLevel !== 'error') tell()
  }
  const live = createRuntimeSettings(
    { enabled: true, logLevel: config.LOG_LEVEL, faults: noFaults },
    decide ?? decideHere,
  )
  live.subscribe(({ enabled, logLevel }) => {
    lifecycle.setEnabled(enabled)
    log.level = logLevel
  })
  if (config.CONFIG_FILE !== undefined && decide === undefined)
    await followFile(lifecycle, config, log, live, config.CONFIG_FILE)
  return live
}

/** Has the settings be what a file says, now and whenever it says something else. What is no settings is left alone. */
async function followFile(
  lifecycle: Lifecycle,
  config: Config,
  log: Log,
  live: RuntimeSettings,
  path: string,
): Promise<void> {
  const { parseSettingsFile } = await import('../runtime-settings/settings-file.ts')
  const use = ([text = '']: readonly string[]): Promise<void> =>
    live.change(parseSettingsFile(text, config.LOG_LEVEL), 'CONFIG_FILE')
  const fail = (error: unknown): void =>
    log.error('CONFIG_FILE cannot be used: the settings stay as they are', { error })
  let first: readonly string[] = []
  try {
    first = await readTexts([path])
    await use(first)
  } catch (error) {
    fail(error)
  }
  const stop = watchFiles([path], first, use, fail)
  lifecycle.onClose('CONFIG_FILE', async () => stop())
}

/** A program that has started. */
export interface Running {
  /** Where it listens. */
  readonly port: number
  readonly live: RuntimeSettings
}

/** What SIGUSR2 does: debug, and back to the level of the configuration. */
export async function toggleDebug(
  { current, change }: RuntimeSettings,
  config: Config,
  log: Log,
): Promise<void> {
  const usual = config.LOG_LEVEL === 'debug' ? 'info' : config.LOG_LEVEL
  try {
    await change({ logLevel: current.logLevel === 'debug' ? usual : 'debug' }, 'SIGUSR2')
  } catch (error) {
    log.error('the log level could not be changed', { error })
  }
}

/** What a change has changed, as the log names it. */
function differences(before: Settings, now: Settings): LogFields {
  return {
    ...(before.enabled !== now.enabled && { enabled: now.enabled }),
    ...(before.logLevel !== now.logLevel && { log_level: now.logLevel }),
    ...(!Bun.deepEquals(before.faults, now.faults) && { faults: now.faults }),
  }
}
