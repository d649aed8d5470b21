import { totalmem } from 'node:os'
import type { Registry } from 'prom-client'
// Not from the package's index, which loads node:cluster and node:http: the longest wait of a start.
import PromRegistry from 'prom-client/lib/registry.js'
import { registerProcessMetrics } from './default-metrics.ts'
import { HistogramCell, histogramSamples, registerPlain } from './plain-metrics.ts'
import { createRequestMetrics, type RequestMetrics } from './request-metrics.ts'

const stateNames = ['starting', 'ready', 'draining', 'stopped'] as const
const shedReasons = ['in_flight', 'event_loop'] as const
const sizeBuckets = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000] as const

/** What the metrics ask other parts for at the scrape. */
export interface MetricSources {
  readonly state: () => (typeof stateNames)[number]
  readonly inFlight: () => number
  readonly servedWhileDraining: () => number
  readonly logLinesDropped: () => number
}

export interface MetricsOptions {
  /** Before the names of this service's own metrics; may be empty. */
  readonly prefix: string
  readonly sources: MetricSources
  readonly build: { readonly version: string; readonly revision: string }
}

export interface Metrics {
  readonly registry: Registry
  readonly requests: RequestMetrics
  /** Counts the size of one accepted payload. */
  observePayload(numbers: number, textCharacters: number): void
  /** Counts one task accepted. */
  countTask(): void
  /** Counts one document created. */
  countDocument(): void
  /** Counts one request refused because there was too much to do. */
  countShed(reason: (typeof shedReasons)[number]): void
  /** Counts one request that no rate was held against, because Redis was away. */
  countRateUnchecked(): void
  /** Counts a fault that was nobody's request: an uncaught exception, an unhandled rejection. */
  countFault(): void
}

/** Every metric of the service, in one table. */
export function createMetrics({ prefix, sources, build }: MetricsOptions): Metrics {
  const registry: Registry = new PromRegistry()
  const requests = createRequestMetrics(registry, prefix)
  const numbers = new HistogramCell(sizeBuckets)
  const characters = new HistogramCell(sizeBuckets)
  let documents = 0
  let tasks = 0
  let faults = 0
  const shed = { in_flight: 0, event_loop: 0 }
  let rateUnchecked = 0

  const value = (type: 'counter' | 'gauge', name: string, help: string, read: () => number): void =>
    registerPlain(registry, {
      name,
      help,
      type,
      samples: () => [{ metricName: name, labels: {}, value: read() }],
    })
  const sizes = (name: string, help: string, cell: HistogramCell): void =>
    registerPlain(registry, {
      name,
      help,
      type: 'histogram',
      samples: () => histogramSamples(name, sizeBuckets, {}, cell),
    })

  value(
    'gauge',
    `${prefix}http_requests_in_flight`,
    'Requests accepted and not yet answered',
    sources.inFlight,
  )
  value(
    'counter',
    `${prefix}requests_served_while_draining_total`,
    'Application requests answered after the shutdown began',
    sources.servedWhileDraining,
  )
  sizes(`${prefix}payload_numbers`, 'Numbers in an accepted payload', numbers)
  sizes(`${prefix}payload_text_characters`, 'Characters in the text of an accepted payload', characters)
  value('counter', `${prefix}tasks_created_total`, 'Tasks accepted', () => tasks)
  value('counter', `${prefix}documents_total`, 'Documents created', () => documents)
  registerPlain(registry, {
    name: `${prefix}requests_shed_total`,
    help: 'Requests refused because there was too much to do, by what told',
    type: 'counter',
    samples: () =>
      shedReasons.map((reason) => ({
        metricName: `${prefix}requests_shed_total`,
        labels: { reason },
        value: shed[reason],
      })),
  })
  value(
    'counter',
    `${prefix}rate_limit_unchecked_total`,
    'Requests let pass without a look at their rate, because Redis was away',
    () => rateUnchecked,
  )
  registerPlain(registry, {
    name: 'app_state',
    help: '1 for the state the process is in',
    type: 'gauge',
    samples: () =>
      stateNames.map((state) => ({
        metricName: 'app_state',
        labels: { state },
        value: sources.state() === state ? 1 : 0,
      })),
  })
  value('counter', 'app_faults_total', 'Uncaught exceptions and unhandled rejections', () => faults)
  value('counter', 'log_lines_dropped_total', 'Log lines that found no reader', sources.logLinesDropped)
  registerPlain(registry, {
    name: 'build_info',
    help: 'What runs here',
    type: 'gauge',
    samples: () => [
      { metricName: 'build_info', labels: { ...build, runtime: `bun ${Bun.version}` }, value: 1 },
    ],
  })
  const memoryLimit = 'app_memory_limit_bytes'
  registerPlain(registry, {
    name: memoryLimit,
    help: 'Memory that the container may use; absent without a limit',
    type: 'gauge',
    // Processes of one container share its limit.
    aggregator: 'max',
    samples: () => {
      const bytes = process.constrainedMemory()
      // Without a limit this is what the machine has.
      return bytes < totalmem() ? [{ metricName: memoryLimit, labels: {}, value: bytes }] : []
    },
  })
  registerProcessMetrics(registry)

  return {
    registry,
    requests,
    observePayload(count, length) {
      numbers.observe(count)
      characters.observe(length)
    },
    countTask() {
      tasks++
    },
    countDocument() {
      documents++
    },
    countShed(reason) {
      shed[reason]++
    },
    countRateUnchecked() {
      rateUnchecked++
    },
    countFault() {
      faults++
    },
  }
}
