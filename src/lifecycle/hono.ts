import type { Context, Handler } from 'hono'
import type { Checks } from './checks.ts'
import type { Lifecycle } from './lifecycle.ts'

/** How soon a client may ask again an instance that is not ready, in seconds. */
export const retryAfterSeconds = 1

/**
 * A liveness handler: 200 as long as the process can answer, also while draining, for a platform kills
 * what fails it. It touches nothing but `describe`, which adds fields of the service's own.
 */
export function liveness(describe: () => Record<string, unknown> = () => ({})): Handler {
  return (c) => c.json({ status: 'ok', ...describe() })
}

/** Whether an instance wants traffic, and what its checks say. */
export interface Readiness {
  /** Why it does not: `starting`, `draining`, `disabled`, or `<check> unavailable`. Undefined: it does. */
  readonly reason: string | undefined
  readonly checks: Readonly<Record<string, 'ok' | 'failing'>>
}

/**
 * Asks whether an instance wants traffic, for whoever answers without Hono.
 *
 * A draining instance asks nothing, for the answer is known and what it would ask may be closing.
 */
export async function readinessOf(lifecycle: Lifecycle, checks?: Checks): Promise<Readiness> {
  const results = lifecycle.draining ? {} : ((await checks?.results()) ?? {})
  const failing = Object.entries(results).find(([, { status, required }]) => required && status === 'failing')
  return {
    reason: lifecycle.notReadyReason ?? (failing && `${failing[0]} unavailable`),
    checks: Object.fromEntries(Object.entries(results).map(([name, { status }]) => [name, status])),
  }
}

/** A readiness handler: 200 when the instance wants traffic, else 503 with the reason; see `Readiness`. */
export function readiness(lifecycle: Lifecycle, checks?: Checks): Handler {
  return async (c: Context) => {
    const { reason, checks: shown } = await readinessOf(lifecycle, checks)
    if (reason === undefined) return c.json({ status: 'ready', checks: shown })
    c.header('Retry-After', String(retryAfterSeconds))
    return c.json({ status: 'not ready', reason, checks: shown }, 503)
  }
}
