export { type ShutdownBudget, shutdownBudgetMs } from './budget.ts'
export {
  type Check,
  type CheckChange,
  type CheckOptions,
  type CheckResult,
  type Checks,
  createChecks,
} from './checks.ts'
export { type Clock, systemClock } from './clock.ts'
export { liveness, type Readiness, readiness, readinessOf, retryAfterSeconds } from './hono.ts'
export {
  closeTimeoutMs,
  createLifecycle,
  type DrainTarget,
  type Lifecycle,
  type LifecycleEvent,
  type LifecycleOptions,
  type LifecycleState,
  type Outcome,
  type StateName,
} from './lifecycle.ts'
export type { Certificate } from './port-servers.ts'
export { type BoundServer, type ServeOptions, serve } from './serve.ts'
export { type LastServer, type ServeLastOptions, serveLast } from './serve-admin.ts'
export { handleSignals, type SignalOptions } from './signals.ts'
