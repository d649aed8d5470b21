import type { Registry } from 'prom-client'
import type { Config } from '../config.ts'
import type { Gates } from '../http/middleware/check.ts'
import { faultsGate } from '../http/middleware/fault-injection.ts'
import type { RuntimeSettings } from '../runtime-settings/runtime-settings.ts'
import { registerFaultMetrics } from '../telemetry/metrics/fault-metrics.ts'

/**
 * The gates, and behind those of the application the one that makes requests fail on purpose. Only where somebody can
 * set it: elsewhere nothing of it exists, neither its metrics nor its cost.
 */
export function withFaults(gates: Gates, config: Config, live: RuntimeSettings, registry: Registry): Gates {
  const { METRICS_PORT, ADMIN_TOKEN, CONFIG_FILE } = config
  if ([METRICS_PORT, ADMIN_TOKEN, CONFIG_FILE].every((one) => one === undefined)) return gates
  const count = registerFaultMetrics(registry, config.METRICS_PREFIX, () => {
    const { error_rate, delay_rate, delay_ms, delay_jitter_ms } = live.current.faults
    return {
      errorRate: error_rate,
      delayRate: delay_rate,
      delaySeconds: (delay_ms + delay_jitter_ms) / 1_000,
    }
  })
  return { ...gates, application: [...(gates.application ?? []), faultsGate(live, count)] }
}
