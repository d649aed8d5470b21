import { type Clock, systemClock, withDeadline } from './clock.ts'
import type { Lifecycle, Outcome } from './lifecycle.ts'

/** The part of `process` that signal handling needs, so that a test can stand in for it. */
export interface SignalSource {
  on(event: string, listener: (error: unknown) => void): unknown
  exit(code: number): unknown
}

export interface SignalOptions {
  readonly process?: SignalSource
  /** Called with the outcome before the process exits: the place to flush logs. */
  readonly beforeExit?: (outcome: Outcome) => void | Promise<void>
  /** How long `beforeExit` may take, in ms. Default 2,000. */
  readonly flushTimeoutMs?: number
  readonly clock?: Clock
}

/** 128 + 2, the shell's convention for a process ended by SIGINT. */
const exitedBySigint = 130

/**
 * One Ctrl-C in a terminal can arrive as two SIGINTs: the terminal signals every process in the
 * foreground, and `bun run` passes its own on to the child. Nobody presses twice within so few ms.
 */
const oneKeystrokeMs = 100

/**
 * Binds the process's signals and faults to a lifecycle. Install it before anything slow: a process
 * that is PID 1 ignores signals without a handler, any other dies of them.
 *
 * SIGTERM and the first SIGINT drain and exit with the outcome's code. A second SIGINT exits at once
 * with 130, for somebody at a terminal insists; any other signal is reported and changes nothing, for
 * platforms repeat themselves.
 * An uncaught exception or an unhandled rejection drains too and exits 1: requests in flight on other
 * connections have nothing to do with it and get their answers.
 */
export function handleSignals(lifecycle: Lifecycle, options: SignalOptions = {}): void {
  const source: SignalSource =
    options.process ?? (process as NodeJS.EventEmitter & Pick<NodeJS.Process, 'exit'>)
  const { beforeExit, flushTimeoutMs = 2_000, clock = systemClock } = options
  let exitCode = 0
  let exiting = false
  let firstSigintAt: number | undefined

  const exitAfter = async (shutdown: Promise<Outcome>): Promise<void> => {
    const outcome = await shutdown
    // A flush that fails has no log left to say so.
    await withDeadline(
      Promise.try(() => beforeExit?.(outcome)),
      flushTimeoutMs,
      clock,
    ).catch(() => {})
    source.exit(Math.max(exitCode, outcome.exitCode))
  }
  const stop = (reason: string, code: number): void => {
    exitCode = Math.max(exitCode, code)
    const shutdown = lifecycle.shutdown(reason, { exitCode })
    if (exiting) return
    exiting = true
    void exitAfter(shutdown)
  }
  const hear = (signal: string): void => {
    if (lifecycle.draining) lifecycle.report({ type: 'signal-repeated', signal })
    stop(signal, 0)
  }

  source.on('SIGTERM', () => hear('SIGTERM'))
  source.on('SIGINT', () => {
    const now = clock.now()
    firstSigintAt ??= now
    const insists = now - firstSigintAt > oneKeystrokeMs
    if (insists) source.exit(exitedBySigint)
    else hear('SIGINT')
  })
  for (const kind of ['uncaughtException', 'unhandledRejection'] as const) {
    source.on(kind, (error: unknown) => {
      lifecycle.report({ type: 'fault', kind, error })
      stop(kind, 1)
    })
  }
}
