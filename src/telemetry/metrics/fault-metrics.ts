import type { Registry } from 'prom-client'
import { registerPlain } from './plain-metrics.ts'

/** What was done to a request on purpose. */
export type FaultKind = 'error' | 'delay'

/** What is set to be done, in base units. */
export interface FaultRates {
  /** Share of the requests that are answered with an error, 0 to 1. */
  readonly errorRate: number
  /** Share that is delayed, 0 to 1. */
  readonly delayRate: number
  /** The longest delay. */
  readonly delaySeconds: number
}

/**
 * The metrics of fault injection: what is set, and what was done.
 *
 * @param rates asked at the scrape
 * @returns what counts one injected fault
 */
export function registerFaultMetrics(
  registry: Registry,
  prefix: string,
  rates: () => FaultRates,
): (kind: FaultKind) => void {
  const counts: Record<FaultKind, number> = { error: 0, delay: 0 }
  const gauge = (name: string, help: string, read: (rates: FaultRates) => number): void =>
    registerPlain(registry, {
      name,
      help,
      type: 'gauge',
      // Processes on one port have the same settings.
      aggregator: 'max',
      samples: () => [{ metricName: name, labels: {}, value: read(rates()) }],
    })
  gauge(`${prefix}injected_error_rate`, 'Share of requests to fail on purpose', (now) => now.errorRate)
  gauge(`${prefix}injected_delay_rate`, 'Share of requests to delay on purpose', (now) => now.delayRate)
  gauge(`${prefix}injected_delay_seconds`, 'Longest delay on purpose', (now) => now.delaySeconds)
  const total = `${prefix}injected_faults_total`
  registerPlain(registry, {
    name: total,
    help: 'Requests that failed or waited on purpose',
    type: 'counter',
    samples: () =>
      Object.entries(counts).map(([fault, value]) => ({ metricName: total, labels: { fault }, value })),
  })
  return (kind) => {
    counts[kind]++
  }
}
