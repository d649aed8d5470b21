import type { Context } from 'hono'
import type { CheckStatus, Checks } from './checks.ts'
import type { Lifecycle } from './lifecycle.ts'

export interface LivenessOptions<Body extends Record<string, unknown>> {
  /** Members of the body in addition to `status`. Must not block or fail. */
  readonly body?: () => Body
}

/**
 * A liveness handler for Hono: 200 and `{"status":"ok"}` while the process responds, also while draining, because a
 * platform kills what fails this probe. It touches no dependency.
 *
 * @example app.get('/health', liveness({ body: () => ({ service: 'example', version: '1.2.0' }) }))
 */
export function liveness<Body extends Record<string, unknown> = Record<never, never>>({
  body = () => ({}) as Body,
}: LivenessOptions<Body> = {}) {
  return (c: Context) => c.json({ status: 'ok', ...body() })
}

export interface ReadinessOptions<Body extends Record<string, unknown>> {
  /** Members of the body in addition to those of the readiness. Must not block or fail. */
  readonly body?: () => Body
  /** `Retry-After` of a 503, in seconds. Default 1. */
  readonly retryAfterSeconds?: number
}

/**
 * A readiness handler for Hono: 200 when the instance wants traffic, otherwise 503 with the reason and `Retry-After`.
 *
 * @example
 * app.get('/ready', readiness(lifecycle, checks))
 * // 200 {"status":"ready","checks":{"store":"ok"}}
 * // 503 {"status":"not ready","reason":"draining","checks":{}}
 */
export function readiness<Body extends Record<string, unknown> = Record<never, never>>(
  lifecycle: Lifecycle,
  checks?: Checks,
  { retryAfterSeconds = 1, body = () => ({}) as Body }: ReadinessOptions<Body> = {},
) {
  return async (c: Context) => {
    const { reason, checks: statuses } = await checkReadiness(lifecycle, checks)
    if (reason === undefined) return c.json({ status: 'ready', checks: statuses, ...body() })
    c.header('Retry-After', String(retryAfterSeconds))
    return c.json({ status: 'not ready', reason, checks: statuses, ...body() }, 503)
  }
}

/** Whether an instance wants traffic. */
export interface Readiness {
  /** `starting`, `draining`, `disabled`, or `<check> unavailable`. Undefined: the instance wants traffic. */
  readonly reason: string | undefined
  readonly checks: Readonly<Record<string, CheckStatus>>
}

/**
 * The response of `readiness`, for servers without Hono. A draining instance probes nothing: the answer is known,
 * and its dependencies may be closing.
 *
 * @example const { reason } = await checkReadiness(lifecycle, checks) // undefined when ready
 */
export async function checkReadiness(lifecycle: Lifecycle, checks?: Checks): Promise<Readiness> {
  const results = lifecycle.draining ? {} : ((await checks?.results()) ?? {})
  const failed = Object.entries(results).find(([, { status, required }]) => required && status === 'failing')
  return {
    reason: lifecycle.notReadyReason ?? (failed && `${failed[0]} unavailable`),
    checks: Object.fromEntries(Object.entries(results).map(([name, { status }]) => [name, status])),
  }
}
