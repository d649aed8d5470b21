import type { RuntimeSettings } from '../../runtime-settings/runtime-settings.ts'
import { type FaultSettings, injectsFaults } from '../../runtime-settings/settings.ts'
import type { FaultKind } from '../../telemetry/metrics/fault-injection-metrics.ts'
import type { Problem } from '../problem.ts'
import type { RequestContext } from '../request-context.ts'
import type { Check } from './check.ts'

/**
 * Makes requests fail or wait on purpose, as set by an operator, to test the systems around this instance. Each affected
 * request is counted and named in the access log.
 *
 * @param onInject called for every injected fault
 * @param random 0 to 1, as `Math.random`
 */
export function faultInjection(
  settings: RuntimeSettings,
  onInject: (kind: FaultKind) => void,
  random = Math.random,
): Check {
  let faults: FaultSettings | undefined
  const follow = (current: FaultSettings): void => {
    faults = injectsFaults(current) ? current : undefined
  }
  follow(settings.current.faults)
  settings.subscribe((current) => follow(current.faults))

  const record = (context: RequestContext, kind: FaultKind): void => {
    context.fault = context.fault === undefined ? kind : `${context.fault},${kind}`
    onInject(kind)
  }

  return function injectFaults(_request, context) {
    if (faults === undefined) return undefined
    const { error_rate, error_status, delay_rate, delay_ms, delay_jitter_ms } = faults
    const delayMs = random() < delay_rate ? delay_ms + random() * delay_jitter_ms : 0
    const problem: Problem | undefined =
      random() < error_rate
        ? {
            code: 'injected-fault',
            status: error_status,
            detail: 'This failure was injected by an operator.',
          }
        : undefined
    if (delayMs > 0) record(context, 'delay')
    if (problem !== undefined) record(context, 'error')
    return delayMs > 0 ? Bun.sleep(delayMs).then(() => problem) : problem
  }
}
