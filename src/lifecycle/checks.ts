import { type Clock, systemClock } from './clock.ts'
import { withTimeout } from './timeout.ts'

/** A dependency of the instance, and how to probe it. */
export interface Check {
  readonly name: string
  /** Resolves when the dependency answers, rejects when it does not. `signal` is aborted at the timeout. */
  readonly probe: (signal: AbortSignal) => Promise<void>
  /** Whether a failure takes the instance out of rotation. Default false: readiness shows the failure and stays 200. */
  readonly required?: boolean
}

export interface CheckOptions {
  /**
   * Timeout of one probe, in ms. Keep it below the platform's timeout of the readiness probe (Kubernetes: 1 s).
   * Otherwise a dependency that hangs takes the instance out of rotation even if it is not required. Default 500.
   */
  readonly timeoutMs?: number
  /** How long a result is reused, in ms, so that the probes of many balancers do not become a load. Default 1,000. */
  readonly cacheMs?: number
  /** Consecutive failures after which a check fails, so that one slow response is no outage. Default 3. */
  readonly failureThreshold?: number
  /** Called once when a check starts to fail and once when it recovers, for the log. */
  readonly onChange?: (change: CheckChange) => void
  readonly clock?: Clock
}

export type CheckStatus = 'ok' | 'failing'

export interface CheckChange {
  readonly check: string
  readonly status: CheckStatus
  /** The cause of the failure. */
  readonly error?: unknown
}

export interface CheckResult {
  readonly status: CheckStatus
  readonly required: boolean
}

export interface Checks {
  /** The latest results by name. Probes again every check whose result is older than `cacheMs`. Never rejects. */
  results(): Promise<Record<string, CheckResult>>
}

interface CheckState {
  readonly check: Check
  consecutiveFailures: number
  probedAt: number
  reportedStatus: CheckStatus
}

/**
 * Probes dependencies in parallel, each with its own timeout, at most once per `cacheMs`. A check fails after
 * `failureThreshold` consecutive failures; a check that never succeeded fails at its first failure.
 *
 * @example
 * const checks = createChecks([{ name: 'store', probe: () => store.ping(), required: true }])
 * await checks.results() // { store: { status: 'ok', required: true } }
 */
export function createChecks(checks: readonly Check[], options: CheckOptions = {}): Checks {
  const { timeoutMs = 500, cacheMs = 1_000, failureThreshold = 3, onChange, clock = systemClock } = options
  const states: CheckState[] = checks.map((check) => ({
    check,
    consecutiveFailures: failureThreshold,
    probedAt: Number.NEGATIVE_INFINITY,
    reportedStatus: 'ok',
  }))
  const statusOf = ({ consecutiveFailures }: CheckState): CheckStatus =>
    consecutiveFailures >= failureThreshold ? 'failing' : 'ok'

  const refresh = async (state: CheckState): Promise<void> => {
    if (clock.now() - state.probedAt < cacheMs) return
    const error = await probe(state.check, timeoutMs, clock)
    state.consecutiveFailures = error === undefined ? 0 : state.consecutiveFailures + 1
    state.probedAt = clock.now()
    const status = statusOf(state)
    if (status === state.reportedStatus) return
    state.reportedStatus = status
    onChange?.({ check: state.check.name, status, ...(error === undefined ? {} : { error }) })
  }

  let refreshing: Promise<void> | undefined
  return {
    async results() {
      refreshing ??= Promise.all(states.map(refresh)).then(() => {
        refreshing = undefined
      })
      await refreshing
      return Object.fromEntries(
        states.map((state) => {
          const { name, required = false } = state.check
          return [name, { status: statusOf(state), required }]
        }),
      )
    },
  }
}

/** @returns why the probe failed, or undefined when it succeeded */
async function probe(check: Check, timeoutMs: number, clock: Clock): Promise<unknown> {
  const controller = new AbortController()
  const failOnTimeout = (): never => {
    throw new Error(`no answer within ${timeoutMs} ms`)
  }
  try {
    await withTimeout(
      Promise.try(() => check.probe(controller.signal)),
      timeoutMs,
      failOnTimeout,
      clock,
    )
    return undefined
  } catch (cause) {
    controller.abort()
    return cause ?? new Error('failed without a reason')
  }
}
