import type { Config } from './config.ts'
import type { Lifecycle } from './lifecycle/index.ts'
import { createLive, type Decide, type Live } from './live/live.ts'
import { type LiveSettings, noFaults } from './live/settings.ts'
import type { Log, LogFields } from './telemetry/log.ts'

/**
 * The settings that an operator can change while the process runs, at first as the configuration has them, and
 * what follows them in every process: the log and the readiness.
 *
 * @param decide where another process decides about changes. Default: they hold, and are logged.
 */
export function openLive(lifecycle: Lifecycle, config: Config, log: Log, decide?: Decide): Live {
  const decideHere: Decide = async (change, by) => {
    const before = live.settings
    await live.adopt({ ...before, ...change })
    log.warn('settings changed', { by, ...differences(before, live.settings) })
  }
  const live = createLive(
    { enabled: true, logLevel: config.LOG_LEVEL, faults: noFaults },
    decide ?? decideHere,
  )
  live.subscribe(({ enabled, logLevel }) => {
    lifecycle.setEnabled(enabled)
    log.level = logLevel
  })
  return live
}

/** A program that has started. */
export interface Running {
  /** Where it listens. */
  readonly port: number
  readonly live: Live
}

/** What SIGUSR2 does: debug, and back to the level of the configuration. */
export async function toggleDebug({ settings, change }: Live, config: Config, log: Log): Promise<void> {
  const usual = config.LOG_LEVEL === 'debug' ? 'info' : config.LOG_LEVEL
  try {
    await change({ logLevel: settings.logLevel === 'debug' ? usual : 'debug' }, 'SIGUSR2')
  } catch (error) {
    log.error('the log level could not be changed', { error })
  }
}

/** What a change has changed, as the log names it. */
function differences(before: LiveSettings, now: LiveSettings): LogFields {
  return {
    ...(before.enabled !== now.enabled && { enabled: now.enabled }),
    ...(before.logLevel !== now.logLevel && { log_level: now.logLevel }),
    ...(!Bun.deepEquals(before.faults, now.faults) && { faults: now.faults }),
  }
}
