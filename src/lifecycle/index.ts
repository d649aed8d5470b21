// The state machine and what takes part in it.
export { type ShutdownBudget, shutdownBudgetMs } from './budget.ts'
// Probes.
export {
  type Check,
  type CheckChange,
  type CheckOptions,
  type CheckResult,
  type CheckStatus,
  type Checks,
  createChecks,
} from './checks.ts'
// Time.
export { type Clock, systemClock } from './clock.ts'
export type { DrainTarget, Traffic } from './drain-target.ts'
export type { DrainWindowOptions } from './drain-window.ts'
// Servers.
export { closeAfter, type FetchHandler } from './fetch-handler.ts'
export {
  checkReadiness,
  type LivenessOptions,
  liveness,
  type Readiness,
  type ReadinessOptions,
  readiness,
} from './hono.ts'
export { closeTimeoutMs, type HookOptions } from './hooks.ts'
export { readIgnoredSignals } from './inherited-signals.ts'
export { createLifecycle, type Lifecycle, type LifecycleOptions } from './lifecycle.ts'
export type { Certificate } from './port-servers.ts'
export { openSteering, type Steering } from './reuseport.ts'
export { type BoundServer, type ServeOptions, serve } from './serve.ts'
export { type AdminServer, type ServeAdminOptions, serveAdmin } from './serve-admin.ts'
export { handleSignals, type SignalOptions } from './signals.ts'
export type {
  LifecycleEvent,
  LifecycleState,
  ShutdownReason,
  ShutdownResult,
  StateName,
  WindowEnd,
} from './states.ts'
export { TimeoutError, withTimeout } from './timeout.ts'
