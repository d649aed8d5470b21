import type { RuntimeSettings } from '../../runtime-settings/runtime-settings.ts'
import { type FaultSettings, injectsFaults } from '../../runtime-settings/settings.ts'
import type { FaultKind } from '../../telemetry/metrics/fault-metrics.ts'
import type { Refusal } from '../problem.ts'
import type { Exchange } from '../request-context.ts'
import type { Gate } from './check.ts'

/**
 * Makes requests fail or wait on purpose, as an operator has set it, to try what stands before and behind this
 * instance. Each that is affected says so in the access log and is counted. As long as nothing is set this is one
 * comparison.
 *
 * @param count told of every fault
 * @param random 0 to 1, as `Math.random`
 */
export function faultsGate(live: RuntimeSettings, count: (kind: FaultKind) => void, random = Math.random): Gate {
  let faults: FaultSettings | undefined
  const follow = (settings: FaultSettings): void => {
    faults = injectsFaults(settings) ? settings : undefined
  }
  follow(live.current.faults)
  live.subscribe((settings) => follow(settings.faults))

  const inject = (exchange: Exchange, kind: FaultKind): void => {
    exchange.fault = exchange.fault === undefined ? kind : `${exchange.fault},${kind}`
    count(kind)
  }

  return (_request, exchange) => {
    if (faults === undefined) return undefined
    const { error_rate, error_status, delay_rate, delay_ms, delay_jitter_ms } = faults
    const delayMs = random() < delay_rate ? delay_ms + random() * delay_jitter_ms : 0
    const refusal: Refusal | undefined =
      random() < error_rate
        ? {
            code: 'injected-fault',
            status: error_status,
            detail: 'An operator makes some requests fail on purpose.',
          }
        : undefined
    if (delayMs > 0) inject(exchange, 'delay')
    if (refusal !== undefined) inject(exchange, 'error')
    return delayMs > 0 ? Bun.sleep(delayMs).then(() => refusal) : refusal
  }
}
