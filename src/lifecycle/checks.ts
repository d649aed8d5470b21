import { type Clock, systemClock, timedOut, withDeadline } from './clock.ts'

/** Something the instance depends on, and how to ask it. */
export interface Check {
  readonly name: string
  /** Resolves when the dependency answers; rejects when it does not. `signal` aborts when its time is up. */
  readonly probe: (signal: AbortSignal) => Promise<void>
  /** Whether a failure takes the instance out of rotation. Default false: it is shown, and nothing else. */
  readonly required?: boolean
}

export interface CheckOptions {
  /**
   * What one probe may take, in ms. Keep it below the time the platform gives the readiness probe
   * (Kubernetes: 1 s), or a dependency that hangs takes the instance out, required or not. Default 500.
   */
  readonly timeoutMs?: number
  /** How long a result is good for, in ms: probes of many balancers must not become a load. Default 1,000. */
  readonly cacheMs?: number
  /** Failures in a row before a check counts as failed: one slow answer is no outage. Default 3. */
  readonly failures?: number
  /** Told when a check begins to fail and when it recovers, once each: for the log. */
  readonly onChange?: (change: CheckChange) => void
  readonly clock?: Clock
}

export interface CheckChange {
  readonly check: string
  readonly status: 'ok' | 'failing'
  /** Why it fails. */
  readonly error?: unknown
}

export interface CheckResult {
  readonly status: 'ok' | 'failing'
  readonly required: boolean
}

export interface Checks {
  /** The newest results by name; asks again what is older than `cacheMs`. Never rejects. */
  results(): Promise<Record<string, CheckResult>>
}

/**
 * Asks dependencies side by side, each within its own time, at most once per `cacheMs`, and calls one
 * failed only after several failures in a row. A check that never succeeded fails at its first failure.
 */
export function createChecks(checks: readonly Check[], options: CheckOptions = {}): Checks {
  const { timeoutMs = 500, cacheMs = 1_000, failures = 3, onChange, clock = systemClock } = options
  const entries = checks.map((check) => ({
    check,
    failed: failures,
    askedAt: Number.NEGATIVE_INFINITY,
    told: 'ok' as CheckResult['status'],
  }))
  let asking: Promise<void> | undefined
  const statusOf = (failed: number): CheckResult['status'] => (failed >= failures ? 'failing' : 'ok')

  const ask = async (entry: (typeof entries)[number]): Promise<void> => {
    if (clock.now() - entry.askedAt < cacheMs) return
    const timeUp = new AbortController()
    const probing = Promise.try(() => entry.check.probe(timeUp.signal))
    const error = await withDeadline(probing, timeoutMs, clock).then(
      (result) => (result === timedOut ? new Error(`no answer within ${timeoutMs} ms`) : undefined),
      (cause: unknown) => cause ?? new Error('failed without a reason'),
    )
    if (error !== undefined) timeUp.abort()
    entry.failed = error === undefined ? 0 : entry.failed + 1
    entry.askedAt = clock.now()
    const status = statusOf(entry.failed)
    if (status === entry.told) return
    entry.told = status
    onChange?.({ check: entry.check.name, status, ...(error === undefined ? {} : { error }) })
  }

  return {
    async results() {
      asking ??= Promise.all(entries.map(ask)).then(() => {
        asking = undefined
      })
      await asking
      return Object.fromEntries(
        entries.map(({ check, failed }) => [
          check.name,
          { status: statusOf(failed), required: check.required ?? false } as const,
        ]),
      )
    },
  }
}
