/** The times between a platform's decision to stop an instance and the instance's exit, in ms. */
export interface ShutdownBudget {
  /** What the platform waits before it sends SIGTERM (Kubernetes' preStop). */
  readonly preStopMs: number
  readonly drainMaxMs: number
  readonly shutdownTimeoutMs: number
  readonly closeTimeoutMs: number
}

/**
 * What a shutdown takes at the most, in ms. It must fit the platform's grace period
 * (`terminationGracePeriodSeconds`, `TimeoutStopSec`, `stop_grace_period`): past that comes SIGKILL, and
 * whatever was in flight is lost.
 *
 * @example shutdownBudgetMs({ preStopMs: 5_000, drainMaxMs: 20_000, shutdownTimeoutMs: 30_000, closeTimeoutMs: 5_000 }) // 60,000
 */
export function shutdownBudgetMs(budget: ShutdownBudget): number {
  return budget.preStopMs + budget.drainMaxMs + budget.shutdownTimeoutMs + budget.closeTimeoutMs
}
