import type { Registry } from 'prom-client'
import { Counter, Gauge } from './prom-client.ts'

/** Kind of an injected fault: a request is answered with an error, or delayed. */
export type FaultKind = 'error' | 'delay'

const faultKinds: readonly FaultKind[] = ['error', 'delay']

/** Settings of fault injection, in base units. */
export interface FaultRates {
  /** Share of the requests answered with an error, 0 to 1. */
  readonly errorRate: number
  /** Share of the requests that are delayed, 0 to 1. */
  readonly delayRate: number
  /** The longest delay. */
  readonly delaySeconds: number
}

/**
 * The metrics of fault injection: its settings and the injected faults.
 *
 * @param getRates called at each scrape
 * @returns counts one injected fault
 */
export function createFaultInjectionMetrics(
  registry: Registry,
  prefix: string,
  getRates: () => FaultRates,
): (kind: FaultKind) => void {
  const registers = [registry]
  const createGauge = (name: string, help: string, read: (rates: FaultRates) => number): void => {
    new Gauge({
      name: `${prefix}${name}`,
      help,
      // Processes behind one port have the same settings.
      aggregator: 'max',
      registers,
      collect() {
        this.set(read(getRates()))
      },
    })
  }
  createGauge(
    'injected_error_rate',
    'Share of requests that fault injection answers with an error, 0 to 1',
    ({ errorRate }) => errorRate,
  )
  createGauge(
    'injected_delay_rate',
    'Share of requests that fault injection delays, 0 to 1',
    ({ delayRate }) => delayRate,
  )
  createGauge(
    'injected_delay_seconds',
    'Longest delay by fault injection in seconds',
    ({ delaySeconds }) => delaySeconds,
  )
  const injected = new Counter({
    name: `${prefix}injected_faults_total`,
    help: 'Requests that fault injection answered with an error or delayed, by fault',
    labelNames: ['fault'],
    registers,
  })
  for (const fault of faultKinds) injected.inc({ fault }, 0)
  return (fault) => injected.inc({ fault })
}
