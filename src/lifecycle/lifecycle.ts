import { type Clock, systemClock, timedOut, withDeadline } from './clock.ts'
import { type DrainWindowOptions, drainWindow, type WindowEnd } from './drain-window.ts'

/** Why a shutdown began: a signal's name, or what went wrong. */
export type ShutdownReason = 'SIGTERM' | 'SIGINT' | 'uncaughtException' | 'unhandledRejection' | (string & {})

/** Where the process stands. Each state carries what is only true in it. `since` is `Clock.now()`. */
export type LifecycleState =
  | { readonly name: 'starting'; readonly since: number }
  | { readonly name: 'ready'; readonly since: number }
  | {
      readonly name: 'draining'
      readonly since: number
      readonly reason: ShutdownReason
      /** `window`: still accepting; `finishing`: refusing, waiting for work in hand; `closing`: hooks run. */
      readonly phase: 'window' | 'finishing' | 'closing'
    }
  | { readonly name: 'stopped'; readonly since: number; readonly outcome: Outcome }

export type StateName = LifecycleState['name']

/** How a shutdown went. */
export interface Outcome {
  readonly reason: ShutdownReason
  /** 0, or 1 when anything was cut, a hook failed or was late, or the reason itself was a fault. */
  readonly exitCode: number
  /** The work that was cut at the deadline, each by a name an operator can search for. */
  readonly cut: readonly string[]
  readonly errors: readonly Error[]
  /** Milliseconds spent in each phase. */
  readonly durationsMs: { readonly window: number; readonly finishing: number; readonly closing: number }
  readonly windowEnd: WindowEnd | 'skipped'
}

/** What is told to listeners, for logs and metrics. */
export type LifecycleEvent =
  | { readonly type: 'state'; readonly state: LifecycleState }
  | { readonly type: 'cut'; readonly target: string; readonly work: readonly string[] }
  | { readonly type: 'hook-failed'; readonly hook: string; readonly error: Error }
  | { readonly type: 'signal-repeated'; readonly signal: string }
  | { readonly type: 'fault'; readonly kind: string; readonly error: unknown }

/** What a drain window watches. */
export interface Traffic {
  /** Requests accepted and not yet answered. */
  readonly inFlight: number
  /** Connections open on the port; undefined where the platform does not tell. */
  readonly openConnections: number | undefined
  /** `Clock.now()` of the newest application request (probes and scrapes do not count). */
  readonly lastRequestAt: number
}

/**
 * Something that has work in hand when the process is told to go: a server, a task worker.
 * All targets are drained side by side.
 */
export interface DrainTarget {
  readonly name: string
  /** Called once, at once, when draining begins: announce it, take nothing that need not be taken. */
  beginDrain(): void
  /** Present when clients must be given time to leave: the drain window lasts until this is quiet. */
  traffic?(): Traffic
  /** Refuses new work; resolves when the work in hand is done. */
  finish(): Promise<void>
  /** Called when `finish` was too late: ends what is left and names it. */
  cut(): Promise<readonly string[]> | readonly string[]
}

export interface LifecycleOptions extends DrainWindowOptions {
  /** How long work in hand may take after the drain window, in ms. Default 30,000. */
  readonly shutdownTimeoutMs?: number
}

/** What all hooks together may take, in ms: the last part of the shutdown's budget. */
export const closeTimeoutMs = 5_000

export interface HookOptions {
  /** What this hook alone may take, in ms; never more than what is left of the budget. Default 2,000. */
  readonly timeoutMs?: number
}

export interface Lifecycle {
  readonly state: LifecycleState
  /** Why `/ready` must say no, or undefined when it may say yes. */
  readonly notReadyReason: 'starting' | 'draining' | 'disabled' | undefined
  /** True from the shutdown's first moment on. */
  readonly draining: boolean
  /** Start-up is over: from now on the instance wants traffic. Does nothing once draining. */
  markReady(): void
  /** Takes the instance out of rotation by hand (readiness only), or back in. */
  setEnabled(enabled: boolean): void
  addTarget(target: DrainTarget): void
  /** Registers cleanup. Hooks run in reverse order of registration, after the last answer. */
  onClose(name: string, close: () => void | Promise<void>, options?: HookOptions): void
  subscribe(listener: (event: LifecycleEvent) => void): void
  /** Tells the listeners something that happened to the process and changes no state. */
  report(event: Extract<LifecycleEvent, { type: 'signal-repeated' | 'fault' }>): void
  /** Changes the times; those of a shutdown that has begun stay. */
  configure(options: LifecycleOptions): void
  /** Starts the shutdown; every further call returns the same promise. Never rejects. */
  shutdown(reason: ShutdownReason, options?: { readonly exitCode?: number }): Promise<Outcome>
}

interface Hook {
  readonly name: string
  readonly close: () => void | Promise<void>
  readonly timeoutMs: number
}

/**
 * The state machine of a process that loses nothing: starting → ready → draining → stopped.
 *
 * A platform sends SIGTERM and takes the instance out of its balancers at the same time, not one after
 * the other, and established connections stay where they are. So draining is three things in order: a
 * window in which everything is still served and clients are told to leave, a wait for the work in
 * hand, and cleanup in reverse order; each has its limit.
 *
 * @example
 * const lifecycle = createLifecycle({ drainMinMs: 5_000 })
 * handleSignals(lifecycle)
 * serve(lifecycle, { port: 8000, fetch })
 * lifecycle.markReady()
 */
export function createLifecycle(initial: LifecycleOptions = {}, clock: Clock = systemClock): Lifecycle {
  let options = initial
  const targets: DrainTarget[] = []
  const hooks: Hook[] = []
  const listeners: ((event: LifecycleEvent) => void)[] = []
  let state: LifecycleState = { name: 'starting', since: clock.now() }
  let enabled = true
  let stopping: Promise<Outcome> | undefined

  const emit = (event: LifecycleEvent): void => {
    for (const listener of listeners) listener(event)
  }
  const enter = (next: LifecycleState): void => {
    state = next
    emit({ type: 'state', state })
  }

  async function finishTarget(target: DrainTarget): Promise<readonly string[]> {
    const result = await withDeadline(target.finish(), options.shutdownTimeoutMs ?? 30_000, clock)
    if (result !== timedOut) return []
    const work = await target.cut()
    if (work.length > 0) emit({ type: 'cut', target: target.name, work })
    return work
  }

  async function closeAll(errors: Error[]): Promise<void> {
    const deadline = clock.now() + closeTimeoutMs
    for (const hook of hooks.toReversed()) {
      const timeoutMs = Math.min(hook.timeoutMs, Math.max(0, deadline - clock.now()))
      try {
        const result = await withDeadline(Promise.try(hook.close), timeoutMs, clock)
        if (result === timedOut)
          throw new Error(`${hook.name} did not close within ${Math.round(timeoutMs)} ms`)
      } catch (cause) {
        const error = asError(cause)
        errors.push(error)
        emit({ type: 'hook-failed', hook: hook.name, error })
      }
    }
  }

  async function run(reason: ShutdownReason, exitCode: number): Promise<Outcome> {
    const wasServing = state.name === 'ready'
    const errors: Error[] = []
    const drainStart = clock.now()
    enter({ name: 'draining', since: drainStart, reason, phase: 'window' })
    for (const target of targets) target.beginDrain()

    // An instance that was never ready had no traffic to wait for.
    const windowEnd = wasServing ? await drainWindow(targets, reason, options, clock) : 'skipped'

    const finishStart = clock.now()
    enter({ name: 'draining', since: drainStart, reason, phase: 'finishing' })
    const settled = await Promise.allSettled(targets.map(finishTarget))
    const cut = settled.flatMap((result) => (result.status === 'fulfilled' ? result.value : []))
    for (const result of settled) if (result.status === 'rejected') errors.push(asError(result.reason))

    const closeStart = clock.now()
    enter({ name: 'draining', since: drainStart, reason, phase: 'closing' })
    await closeAll(errors)

    const now = clock.now()
    const outcome: Outcome = {
      reason,
      exitCode: exitCode !== 0 ? exitCode : cut.length > 0 || errors.length > 0 ? 1 : 0,
      cut,
      errors,
      durationsMs: {
        window: finishStart - drainStart,
        finishing: closeStart - finishStart,
        closing: now - closeStart,
      },
      windowEnd,
    }
    enter({ name: 'stopped', since: now, outcome })
    return outcome
  }

  return {
    get state() {
      return state
    },
    get notReadyReason() {
      if (state.name === 'starting') return 'starting'
      if (state.name !== 'ready') return 'draining'
      return enabled ? undefined : 'disabled'
    },
    get draining() {
      return state.name === 'draining' || state.name === 'stopped'
    },
    markReady() {
      if (state.name === 'starting') enter({ name: 'ready', since: clock.now() })
    },
    setEnabled(value) {
      enabled = value
    },
    addTarget(target) {
      targets.push(target)
      // Opened while the shutdown runs already: it must not go on as if nothing had happened.
      if (state.name === 'draining') target.beginDrain()
    },
    onClose(name, close, { timeoutMs = 2_000 } = {}) {
      hooks.push({ name, close, timeoutMs })
    },
    subscribe(listener) {
      listeners.push(listener)
    },
    report: emit,
    configure(changed) {
      options = { ...options, ...changed }
    },
    shutdown(reason, { exitCode = 0 } = {}) {
      stopping ??= run(reason, exitCode)
      return stopping
    },
  }
}

function asError(cause: unknown): Error {
  return cause instanceof Error ? cause : new Error(String(cause))
}
