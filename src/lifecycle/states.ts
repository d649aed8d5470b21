/** Why a shutdown began: the name of a signal, or of an uncaught error. */
export type ShutdownReason = 'SIGTERM' | 'SIGINT' | 'uncaughtException' | 'unhandledRejection' | (string & {})

/** The event that ended a drain window. */
export type WindowEnd = 'no connections' | 'quiet' | 'maximum'

/** The state of the process. Each state carries the data that exists only in it. `since` is `Clock.now()`. */
export type LifecycleState =
  | { readonly name: 'starting'; readonly since: number }
  | { readonly name: 'ready'; readonly since: number }
  | {
      readonly name: 'draining'
      readonly since: number
      readonly reason: ShutdownReason
      /** `window`: still accepts; `finishing`: refuses, waits for work in flight; `closing`: runs the hooks. */
      readonly phase: 'window' | 'finishing' | 'closing'
    }
  | { readonly name: 'stopped'; readonly since: number; readonly result: ShutdownResult }

export type StateName = LifecycleState['name']

/** How a shutdown went. */
export interface ShutdownResult {
  readonly reason: ShutdownReason
  /** 0, or 1 after an uncaught error, or when work was aborted, or when anything failed or timed out. */
  readonly exitCode: number
  /** The work that was aborted at the deadline, each by a name that an operator can search for. */
  readonly aborted: readonly string[]
  readonly errors: readonly Error[]
  /** Time spent in each phase, in ms. */
  readonly durationsMs: { readonly window: number; readonly finishing: number; readonly closing: number }
  readonly windowEnd: WindowEnd | 'skipped'
}

/** An event for subscribers, for logs and metrics. */
export type LifecycleEvent =
  | { readonly type: 'state'; readonly state: LifecycleState }
  | { readonly type: 'aborted'; readonly target: string; readonly work: readonly string[] }
  | { readonly type: 'hook-failed'; readonly hook: string; readonly error: Error }
  | { readonly type: 'signal-repeated'; readonly signal: string }
  | { readonly type: 'uncaught-error'; readonly kind: string; readonly error: unknown }
