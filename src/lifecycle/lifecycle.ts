import { type Clock, systemClock } from './clock.ts'
import { type DrainTarget, finishOrAbort } from './drain-target.ts'
import { type DrainWindowOptions, waitForDrain } from './drain-window.ts'
import { CloseHooks, closeTimeoutMs, type HookOptions } from './hooks.ts'
import type { LifecycleEvent, LifecycleState, ShutdownReason, ShutdownResult } from './states.ts'

export interface LifecycleOptions extends DrainWindowOptions {
  /** How long work in flight may take after the drain window, in ms. Default 30,000. */
  readonly shutdownTimeoutMs?: number
}

const defaultShutdownTimeoutMs = 30_000

/** The state of a process from its start to its exit, and everything that takes part in its shutdown. */
export interface Lifecycle {
  readonly state: LifecycleState
  /** Why readiness is 503, or undefined when the instance wants traffic. */
  readonly notReadyReason: 'starting' | 'draining' | 'disabled' | undefined
  /** True from the beginning of the shutdown, also after its end. */
  readonly draining: boolean
  /** Ends the start-up: the instance wants traffic from now on. Does nothing once draining. */
  markReady(): void
  /** Takes the instance out of rotation by hand, or back in. Affects readiness only. */
  setEnabled(enabled: boolean): void
  /** Adds something with work in flight. A target that is added after the drain window is finished at once. */
  addTarget(target: DrainTarget): void
  /**
   * Registers cleanup. Hooks run one after the other in reverse order of registration, after the last response. A
   * hook that is registered after the shutdown runs at once.
   */
  onClose(name: string, close: () => void | Promise<void>, options?: HookOptions): void
  /** Calls `listener` with every event. Its exceptions are added to the errors of the result and stop nothing. */
  subscribe(listener: (event: LifecycleEvent) => void): void
  /** Sends subscribers an event of the process that changes no state. */
  report(event: Extract<LifecycleEvent, { type: 'signal-repeated' | 'uncaught-error' }>): void
  /** Changes the times. A shutdown that has begun keeps its times. */
  configure(options: LifecycleOptions): void
  /**
   * Starts the shutdown. Every further call returns the same promise, and can only raise its exit code.
   * Never rejects.
   */
  shutdown(reason: ShutdownReason, options?: { readonly exitCode?: number }): Promise<ShutdownResult>
}

/**
 * The state machine of a process that loses no request: starting → ready → draining → stopped.
 *
 * A platform sends SIGTERM and takes the instance out of its balancers at the same time, and established connections
 * stay open. So a shutdown has three phases, each with a limit: a window in which everything is still served and
 * responses carry `Connection: close`, a wait for the work in flight, and cleanup in reverse order.
 *
 * @example
 * const lifecycle = createLifecycle({ drainMinMs: 5_000 })
 * handleSignals(lifecycle)
 * serve(lifecycle, { port: 8000, fetch })
 * lifecycle.markReady()
 */
export function createLifecycle(options: LifecycleOptions = {}, clock: Clock = systemClock): Lifecycle {
  return new ProcessLifecycle(options, clock)
}

class ProcessLifecycle implements Lifecycle {
  readonly #clock: Clock
  readonly #targets: DrainTarget[] = []
  readonly #hooks = new CloseHooks()
  readonly #listeners: ((event: LifecycleEvent) => void)[] = []
  readonly #errors: Error[] = []
  #options: LifecycleOptions
  #state: LifecycleState
  #enabled = true
  #worstExitCode = 0
  #result: Promise<ShutdownResult> | undefined

  constructor(options: LifecycleOptions, clock: Clock) {
    this.#options = options
    this.#clock = clock
    this.#state = { name: 'starting', since: clock.now() }
  }

  get state(): LifecycleState {
    return this.#state
  }

  get notReadyReason(): 'starting' | 'draining' | 'disabled' | undefined {
    if (this.#state.name === 'starting') return 'starting'
    if (this.#state.name !== 'ready') return 'draining'
    return this.#enabled ? undefined : 'disabled'
  }

  get draining(): boolean {
    return this.#state.name === 'draining' || this.#state.name === 'stopped'
  }

  markReady(): void {
    if (this.#state.name === 'starting') this.#enter({ name: 'ready', since: this.#clock.now() })
  }

  setEnabled(enabled: boolean): void {
    this.#enabled = enabled
  }

  addTarget(target: DrainTarget): void {
    this.#targets.push(target)
    if (this.#state.name === 'starting' || this.#state.name === 'ready') return
    // A target that is opened during the shutdown must drain too.
    this.#beginDrain(target)
    if (this.#state.name === 'draining' && this.#state.phase === 'window') return
    const { shutdownTimeoutMs = defaultShutdownTimeoutMs } = this.#options
    void this.#finish(target, shutdownTimeoutMs)
  }

  onClose(name: string, close: () => void | Promise<void>, options?: HookOptions): void {
    this.#hooks.add(name, close, options)
    if (this.#state.name === 'stopped') void this.#runHooks(this.#clock.now() + closeTimeoutMs)
  }

  subscribe(listener: (event: LifecycleEvent) => void): void {
    this.#listeners.push(listener)
  }

  report(event: LifecycleEvent): void {
    this.#emit(event)
  }

  configure(options: LifecycleOptions): void {
    this.#options = { ...this.#options, ...options }
  }

  shutdown(
    reason: ShutdownReason,
    { exitCode = 0 }: { readonly exitCode?: number } = {},
  ): Promise<ShutdownResult> {
    this.#worstExitCode = Math.max(this.#worstExitCode, exitCode)
    if (this.#result === undefined) {
      // Set before anything runs, because a listener may call shutdown() when it receives the event of this one.
      const { promise, resolve } = Promise.withResolvers<ShutdownResult>()
      this.#result = promise
      void this.#run(reason).then(resolve)
    }
    return this.#result
  }

  async #run(reason: ShutdownReason): Promise<ShutdownResult> {
    const options = this.#options
    const { shutdownTimeoutMs = defaultShutdownTimeoutMs } = options
    const wasReady = this.#state.name === 'ready'

    const drainStart = this.#clock.now()
    this.#enter({ name: 'draining', since: drainStart, reason, phase: 'window' })
    for (const target of this.#targets) this.#beginDrain(target)
    // An instance that was never ready has no traffic to wait for.
    const windowEnd = wasReady ? await this.#waitForDrain(reason, options) : 'skipped'

    const finishStart = this.#clock.now()
    this.#enter({ name: 'draining', since: drainStart, reason, phase: 'finishing' })
    const aborted = await Promise.all(this.#targets.map((target) => this.#finish(target, shutdownTimeoutMs)))

    const closeStart = this.#clock.now()
    this.#enter({ name: 'draining', since: drainStart, reason, phase: 'closing' })
    // The time spent on aborting is taken from the time to close, which keeps the shutdown within its budget.
    await this.#runHooks(Math.min(closeStart, finishStart + shutdownTimeoutMs) + closeTimeoutMs)

    const stoppedAt = this.#clock.now()
    const result = this.#buildResult(reason, aborted.flat(), windowEnd, {
      window: finishStart - drainStart,
      finishing: closeStart - finishStart,
      closing: stoppedAt - closeStart,
    })
    this.#enter({ name: 'stopped', since: stoppedAt, result })
    return result
  }

  #buildResult(
    reason: ShutdownReason,
    aborted: readonly string[],
    windowEnd: ShutdownResult['windowEnd'],
    durationsMs: ShutdownResult['durationsMs'],
  ): ShutdownResult {
    const errors = [...this.#errors]
    const failed = aborted.length > 0 || errors.length > 0
    return {
      reason,
      exitCode: Math.max(this.#worstExitCode, failed ? 1 : 0),
      aborted,
      errors,
      durationsMs,
      windowEnd,
    }
  }

  #beginDrain(target: DrainTarget): void {
    try {
      target.beginDrain()
    } catch (cause) {
      this.#addError(cause)
    }
  }

  async #waitForDrain(
    reason: ShutdownReason,
    options: LifecycleOptions,
  ): Promise<ShutdownResult['windowEnd']> {
    if (this.#targets.every((target) => target.traffic === undefined)) return 'skipped'
    try {
      return await waitForDrain(this.#targets, reason, options, this.#clock)
    } catch (cause) {
      this.#addError(cause)
      return 'skipped'
    }
  }

  async #finish(target: DrainTarget, timeoutMs: number): Promise<readonly string[]> {
    const work = await finishOrAbort(target, timeoutMs, this.#clock, (cause) => this.#addError(cause))
    if (work.length > 0) this.#emit({ type: 'aborted', target: target.name, work })
    return work
  }

  async #runHooks(closeBy: number): Promise<void> {
    await this.#hooks.run(closeBy, this.#clock, (hook, cause) => {
      this.#emit({ type: 'hook-failed', hook, error: this.#addError(cause) })
    })
  }

  #enter(state: LifecycleState): void {
    this.#state = state
    this.#emit({ type: 'state', state })
  }

  #emit(event: LifecycleEvent): void {
    for (const listener of this.#listeners) {
      try {
        listener(event)
      } catch (cause) {
        // A listener only watches. It must not be able to stop a shutdown.
        this.#addError(cause)
      }
    }
  }

  #addError(cause: unknown): Error {
    const error = cause instanceof Error ? cause : new Error(String(cause))
    this.#errors.push(error)
    return error
  }
}
