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
  /** 0, or 1 when anything was cut, failed or was late, or a fault began the shutdown or came during it. */
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

/** What naming and ending the work of one target may take, in ms; it is taken from `closeTimeoutMs`. */
const cutTimeoutMs = 2_000

export interface HookOptions {
  /** What this hook alone may take, in ms; never more than what is left of the budget. Default 2,000. */
  readonly timeoutMs?: number
  /** Runs after all hooks without this, whenever it was registered. Default false. */
  readonly last?: boolean
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
  /** Adds something that has work in hand. One that is added after the drain window is ended at once. */
  addTarget(target: DrainTarget): void
  /**
   * Registers cleanup. Hooks run one after the other in reverse order of registration, after the last
   * answer; one that is registered after all others ran is run at once.
   */
  onClose(name: string, close: () => void | Promise<void>, options?: HookOptions): void
  /** What a listener throws is among the outcome's errors and stops nothing. */
  subscribe(listener: (event: LifecycleEvent) => void): void
  /** Tells the listeners something that happened to the process and changes no state. */
  report(event: Extract<LifecycleEvent, { type: 'signal-repeated' | 'fault' }>): void
  /** Changes the times; those of a shutdown that has begun stay. */
  configure(options: LifecycleOptions): void
  /**
   * Starts the shutdown; every further call returns the same promise, and may make its exit code worse.
   * Never rejects.
   */
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
  const errors: Error[] = []
  let state: LifecycleState = { name: 'starting', since: clock.now() }
  let enabled = true
  let worstExitCode = 0
  let stopping: Promise<Outcome> | undefined

  const emit = (event: LifecycleEvent): void => {
    for (const listener of listeners) {
      try {
        listener(event)
      } catch (cause) {
        // Whoever only watches must not be able to stop a shutdown.
        errors.push(asError(cause))
      }
    }
  }
  const enter = (next: LifecycleState): void => {
    state = next
    emit({ type: 'state', state })
  }
  const beginDrain = (target: DrainTarget): void => {
    try {
      target.beginDrain()
    } catch (cause) {
      errors.push(asError(cause))
    }
  }

  async function window(reason: ShutdownReason, times: LifecycleOptions): Promise<Outcome['windowEnd']> {
    if (!targets.some((target) => target.traffic !== undefined)) return 'skipped'
    try {
      return await drainWindow(targets, reason, times, clock)
    } catch (cause) {
      errors.push(asError(cause))
      return 'skipped'
    }
  }

  /** Waits for a target's work in hand; cuts what is left when that is too late or goes wrong. */
  async function finish(target: DrainTarget, timeoutMs: number): Promise<readonly string[]> {
    try {
      const result = await withDeadline(
        Promise.try(() => target.finish()),
        timeoutMs,
        clock,
      )
      if (result !== timedOut) return []
    } catch (cause) {
      errors.push(asError(cause))
    }
    try {
      const work = await withDeadline(
        Promise.try(() => target.cut()),
        cutTimeoutMs,
        clock,
      )
      if (work === timedOut) throw new Error(`${target.name} was not cut within ${cutTimeoutMs} ms`)
      if (work.length > 0) emit({ type: 'cut', target: target.name, work })
      return work
    } catch (cause) {
      errors.push(asError(cause))
      return []
    }
  }

  /** Runs the hooks, newest first, also those that are registered meanwhile; `closeBy` is `Clock.now()`. */
  async function closeAll(closeBy: number): Promise<void> {
    for (let hook = hooks.pop(); hook !== undefined; hook = hooks.pop()) {
      const timeoutMs = Math.min(hook.timeoutMs, Math.max(0, closeBy - clock.now()))
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

  async function run(reason: ShutdownReason): Promise<Outcome> {
    const times = options
    const wasServing = state.name === 'ready'
    const drainStart = clock.now()
    enter({ name: 'draining', since: drainStart, reason, phase: 'window' })
    for (const target of targets) beginDrain(target)

    // An instance that was never ready had no traffic to wait for.
    const windowEnd = wasServing ? await window(reason, times) : 'skipped'

    const finishStart = clock.now()
    const { shutdownTimeoutMs = 30_000 } = times
    enter({ name: 'draining', since: drainStart, reason, phase: 'finishing' })
    const cut = (await Promise.all(targets.map((target) => finish(target, shutdownTimeoutMs)))).flat()

    const closeStart = clock.now()
    enter({ name: 'draining', since: drainStart, reason, phase: 'closing' })
    // What cutting took is part of the time to close: the whole must stay within the budget.
    await closeAll(Math.min(closeStart, finishStart + shutdownTimeoutMs) + closeTimeoutMs)

    const now = clock.now()
    const outcome: Outcome = {
      reason,
      exitCode: Math.max(worstExitCode, cut.length > 0 || errors.length > 0 ? 1 : 0),
      cut,
      errors: [...errors],
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
      if (state.name === 'starting' || state.name === 'ready') return
      // Opened while the shutdown runs already: it must not go on as if nothing had happened.
      beginDrain(target)
      const { shutdownTimeoutMs = 30_000 } = options
      if (state.name === 'stopped' || state.phase !== 'window') void finish(target, shutdownTimeoutMs)
    },
    onClose(name, close, { timeoutMs = 2_000, last = false } = {}) {
      const hook = { name, close, timeoutMs }
      if (last) hooks.unshift(hook)
      else hooks.push(hook)
      if (state.name === 'stopped') void closeAll(clock.now() + closeTimeoutMs)
    },
    subscribe(listener) {
      listeners.push(listener)
    },
    report: emit,
    configure(changed) {
      options = { ...options, ...changed }
    },
    shutdown(reason, { exitCode = 0 } = {}) {
      worstExitCode = Math.max(worstExitCode, exitCode)
      if (stopping === undefined) {
        // Set before anything runs: a listener may ask for the shutdown that it is being told of.
        const { promise, resolve } = Promise.withResolvers<Outcome>()
        stopping = promise
        void run(reason).then(resolve)
      }
      return stopping
    },
  }
}

function asError(cause: unknown): Error {
  return cause instanceof Error ? cause : new Error(String(cause))
}
