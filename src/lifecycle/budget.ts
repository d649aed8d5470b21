/** The waits between a platform's decision to stop an instance and the exit of the process, in ms. */
export interface ShutdownBudget {
  /** Wait of the platform before SIGTERM (the `preStop` hook of Kubernetes). */
  readonly preStopMs: number
  readonly drainMaxMs: number
  readonly shutdownTimeoutMs: number
  readonly closeTimeoutMs: number
}

/**
 * The longest possible shutdown, in ms. It must fit the grace period of the platform
 * (`terminationGracePeriodSeconds`, `TimeoutStopSec`, `stop_grace_period`). After the grace period the platform sends
 * SIGKILL, and every request in flight is lost.
 *
 * @example shutdownBudgetMs({ preStopMs: 5_000, drainMaxMs: 20_000, shutdownTimeoutMs: 30_000, closeTimeoutMs: 5_000 }) // 60,000
 */
export function shutdownBudgetMs(budget: ShutdownBudget): number {
  return budget.preStopMs + budget.drainMaxMs + budget.shutdownTimeoutMs + budget.closeTimeoutMs
}
