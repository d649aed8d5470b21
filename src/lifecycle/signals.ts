import type { Lifecycle, Outcome } from './lifecycle.ts'

/** The part of `process` that signal handling needs, so that a test can stand in for it. */
export interface SignalSource {
  on(event: string, listener: (error: unknown) => void): unknown
  exit(code: number): unknown
}

export interface SignalOptions {
  readonly process?: SignalSource
  /** Called with the outcome before the process exits: the place to flush logs. Raced by `flushTimeoutMs`. */
  readonly beforeExit?: (outcome: Outcome) => void | Promise<void>
  /** How long `beforeExit` may take, in ms. Default 2,000. */
  readonly flushTimeoutMs?: number
}

/** 128 + 2, the shell's convention for a process ended by SIGINT. */
const exitedBySigint = 130

/**
 * Binds the process's signals and faults to a lifecycle. Install it before anything slow: a process
 * that is PID 1 ignores signals without a handler, any other dies of them.
 *
 * SIGTERM and the first SIGINT drain and exit with the outcome's code. A second SIGINT exits at once with 130, for
 * somebody at a terminal insists; a second SIGTERM changes nothing, for platforms repeat themselves.
 * An uncaught exception or an unhandled rejection drains too and exits 1: requests in flight on other
 * connections have nothing to do with it and get their answers.
 */
export function handleSignals(lifecycle: Lifecycle, options: SignalOptions = {}): void {
  const source: SignalSource =
    options.process ?? (process as NodeJS.EventEmitter & Pick<NodeJS.Process, 'exit'>)
  const { beforeExit, flushTimeoutMs = 2_000 } = options
  const received = { SIGTERM: 0, SIGINT: 0 }

  const stop = async (reason: string, exitCode: number): Promise<void> => {
    const outcome = await lifecycle.shutdown(reason, { exitCode })
    const flushed = Promise.try(() => beforeExit?.(outcome)).catch(() => {})
    await Promise.race([flushed, new Promise((resolve) => setTimeout(resolve, flushTimeoutMs))])
    source.exit(outcome.exitCode)
  }

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    source.on(signal, () => {
      received[signal]++
      if (received.SIGINT > 1) source.exit(exitedBySigint)
      else if (received.SIGTERM + received.SIGINT > 1) lifecycle.report({ type: 'signal-repeated', signal })
      else void stop(signal, 0)
    })
  }
  for (const kind of ['uncaughtException', 'unhandledRejection'] as const) {
    source.on(kind, (error: unknown) => {
      lifecycle.report({ type: 'fault', kind, error })
      void stop(kind, 1)
    })
  }
}
