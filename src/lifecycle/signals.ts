import { type Clock, systemClock } from './clock.ts'
import type { Lifecycle } from './lifecycle.ts'
import type { ShutdownResult } from './states.ts'
import { withTimeout } from './timeout.ts'

/** The part of `process` that signal handling needs, so that a test can replace it. */
export interface SignalSource {
  on(event: string, listener: (error: unknown) => void): unknown
  exit(code: number): unknown
}

export interface SignalOptions {
  /** Default: the process. */
  readonly process?: SignalSource
  /** Called before the process exits: the place to flush logs. */
  readonly beforeExit?: (result: ShutdownResult) => void | Promise<void>
  /**
   * The signals that this process inherited as ignored, from `readIgnoredSignals`: they stay ignored. SIGINT then gets
   * its handler when they are known. Default: none.
   */
  readonly ignored?: Promise<ReadonlySet<string>>
  /** Timeout of `beforeExit`, in ms. Default 2,000. */
  readonly flushTimeoutMs?: number
  readonly clock?: Clock
}

/** 128 + 2, the shell's convention for a process that SIGINT ended. */
const sigintExitCode = 130

/**
 * One Ctrl-C can arrive as two SIGINTs: the terminal signals every process in the foreground, and `bun run` forwards
 * its own to the child. No user presses a key twice within this time, in ms.
 */
const keystrokeMs = 100

/**
 * Connects the signals and uncaught errors of the process to a lifecycle. Call it before anything slow: a process that
 * is PID 1 ignores signals without a handler, any other process dies of them.
 *
 * - SIGTERM and the first SIGINT drain, then exit with the code of the result.
 * - A second SIGINT exits at once with 130, because a user at a terminal insists. Any other repeated signal is reported
 *   and changes nothing, because platforms repeat signals.
 * - A SIGINT that was inherited as ignored stays ignored. SIGTERM never does: the next signal of a platform is SIGKILL.
 * - An uncaught exception or an unhandled rejection drains too and exits with 1. Requests in flight on other
 *   connections have nothing to do with it and are answered.
 *
 * @example handleSignals(lifecycle, { beforeExit: () => log.flush() })
 */
export function handleSignals(lifecycle: Lifecycle, options: SignalOptions = {}): void {
  const source: SignalSource =
    options.process ?? (process as NodeJS.EventEmitter & Pick<NodeJS.Process, 'exit'>)
  const { beforeExit, ignored, flushTimeoutMs = 2_000, clock = systemClock } = options
  let exitCode = 0
  let exiting = false
  let firstSigintAt: number | undefined

  const exitAfter = async (shutdown: Promise<ShutdownResult>): Promise<void> => {
    const result = await shutdown
    const flush = Promise.try(() => beforeExit?.(result))
    // If the flush fails, there is no log left to report it.
    await withTimeout(flush, flushTimeoutMs, () => {}, clock).catch(() => {})
    source.exit(Math.max(exitCode, result.exitCode))
  }
  const shutDown = (reason: string, code: number): void => {
    exitCode = Math.max(exitCode, code)
    const shutdown = lifecycle.shutdown(reason, { exitCode })
    if (exiting) return
    exiting = true
    void exitAfter(shutdown)
  }
  const onSignal = (signal: string): void => {
    if (lifecycle.draining) lifecycle.report({ type: 'signal-repeated', signal })
    shutDown(signal, 0)
  }

  source.on('SIGTERM', () => onSignal('SIGTERM'))
  const handleSigint = (): void => {
    source.on('SIGINT', () => {
      const now = clock.now()
      firstSigintAt ??= now
      if (now - firstSigintAt > keystrokeMs) source.exit(sigintExitCode)
      else onSignal('SIGINT')
    })
  }
  if (ignored === undefined) handleSigint()
  else void ignored.then((signals) => signals.has('SIGINT') || handleSigint())
  for (const kind of ['uncaughtException', 'unhandledRejection'] as const) {
    source.on(kind, (error: unknown) => {
      lifecycle.report({ type: 'uncaught-error', kind, error })
      shutDown(kind, 1)
    })
  }
}
