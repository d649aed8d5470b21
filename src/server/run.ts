import { existsSync } from 'node:fs'
import type { Config, Program as ConfigReader, ConfigResult } from '../config.ts'
import { createLifecycle, handleSignals, type Lifecycle, readIgnoredSignals } from '../lifecycle/index.ts'
import type { RuntimeSettings } from '../runtime-settings/runtime-settings.ts'
import { describeError } from '../telemetry/log/describe-error.ts'
import type { Log, ProcessIdentity } from '../telemetry/log/log.ts'
import type { ProcessLog } from './logging.ts'

/** A service that has started. */
export interface RunningService {
  /** The port that it listens on. */
  readonly port: number
  readonly runtimeSettings: RuntimeSettings
}

/**
 * Starts a service: opens everything that it needs, and registers its cleanup with the lifecycle.
 *
 * @throws when it cannot start; the lifecycle then closes what was opened.
 */
export type StartService = (lifecycle: Lifecycle, config: Config, log: ProcessLog) => Promise<RunningService>

/** A program that runs until it is stopped. */
type ServiceRole = Exclude<ProcessIdentity['role'], 'migration'>

export interface Program {
  /** The program whose configuration it reads. */
  readonly reads: ConfigReader
  /** The role of the process, for its log. The supervisor and its processes share one stream. */
  readonly identify: (config: Config) => Pick<ProcessIdentity, 'process'> & { readonly role: ServiceRole }
  /** Loads the service's modules on demand, so that the signal handlers are installed before them. */
  readonly start: StartService
}

/** EX_CONFIG of sysexits.h: a restart would not help. */
export const invalidConfigExitCode = 78

/**
 * Runs a service as this process, from the first signal handler to the exit code: 0 after a shutdown, 1 when it failed
 * to start or to stop in order, 78 when its configuration is invalid.
 *
 * SIGTERM and SIGINT shut down. SIGUSR2 toggles debug logging. SIGHUP shuts down too, unless the service handles it. SIGHUP
 * and SIGINT stay ignored when the process inherited them as ignored, such as from `nohup`.
 *
 * @example run({ PORT: '8000' }, { reads: 'server', identify: () => ({ role: 'server' }), start: startServer })
 */
export function run(
  env: Readonly<Record<string, string | undefined>>,
  { reads, identify, start }: Program,
): void {
  // Signals first, so that one that arrives while modules load has its effect, also for PID 1 of a container.
  const lifecycle = createLifecycle()
  let flushLog = async (): Promise<void> => {}
  const started = Promise.withResolvers<RunningService & { config: Config; log: Log }>()
  const ignored = readIgnoredSignals()
  handleSignals(lifecycle, { ignored, beforeExit: () => flushLog() })
  // An early signal waits for the settings that it changes.
  process.on('SIGUSR2', async () => {
    const { runtimeSettings, config, log } = await started.promise
    const { toggleDebug } = await import('./runtime-settings.ts')
    await toggleDebug(runtimeSettings, config, log)
  })

  const boot = async (): Promise<void> => {
    // Startup code runs once: compiling it takes longer than it saves.
    Bun.unsafe.setJITPolicy(100)
    // Before the service accepts anything, which the default action would cut.
    if (!(await ignored).has('SIGHUP')) process.on('SIGHUP', shutDownWithTerminal)
    const { config, warnings } = await readConfig(env, reads)
    const { openLog } = await import('./logging.ts')
    const identity = identify(config)
    const opened = openLog(config, { ...identity, pid: process.pid })
    const { log } = opened
    flushLog = log.flush
    for (const warning of warnings) log.warn('invalid variable ignored', { reason: warning })
    // The processes of a supervisor have its environment: it has warned.
    if (identity.process === undefined) await warnAtStart(env, config, identity.role, log)
    try {
      started.resolve({ ...(await start(lifecycle, config, opened)), config, log })
      Bun.unsafe.setJITPolicy(1)
    } catch (error) {
      log.error('cannot start', { cause: describeError(error), error })
      // Closes what was opened before the failure.
      await lifecycle.shutdown('start-up failed', { exitCode: 1 })
      await log.flush()
      process.exit(1)
    }
  }

  // Not at once: after the program's main module, Bun collects garbage before it polls a socket for the first time, and
  // the garbage of the start would delay the first request.
  setImmediate(() => void boot())
}

/** A closed terminal sends SIGHUP. A supervisor and its processes have their own handler, instead of this one. */
function shutDownWithTerminal(): void {
  if (process.listenerCount('SIGHUP') === 1) process.kill(process.pid, 'SIGTERM')
}

/** The configuration. Exits when it is invalid, with all problems on standard error. */
async function readConfig(
  env: Readonly<Record<string, string | undefined>>,
  program: Program['reads'],
): Promise<Extract<ConfigResult, { ok: true }>> {
  const { parseConfig } = await import('../config.ts')
  const result = parseConfig(env, program)
  if (result.ok) return result
  console.error(`Invalid configuration:\n  ${result.problems.join('\n  ')}`)
  return process.exit(invalidConfigExitCode)
}

/** Loaded on demand, like all modules that a start needs after its signal handlers. */
async function warnAtStart(
  env: Readonly<Record<string, string | undefined>>,
  config: Config,
  role: ServiceRole,
  log: Log,
): Promise<void> {
  const { findStartWarnings } = await import('./start-warnings.ts')
  for (const { message, fields } of findStartWarnings(env, config, role, isContainer()))
    log.warn(message, fields)
}

/** Whether this process is the main one of a container, also behind an init (`docker run --init`). */
function isContainer(): boolean {
  if (process.pid === 1) return true
  return process.ppid === 1 && (existsSync('/.dockerenv') || existsSync('/run/.containerenv'))
}
