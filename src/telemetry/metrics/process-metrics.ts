import { totalmem } from 'node:os'
import type { Registry } from 'prom-client'
import { Counter, Gauge } from './prom-client.ts'

const stateNames = ['starting', 'ready', 'draining', 'stopped'] as const

/** Values that other parts of the process keep. They are read at each scrape. */
export interface MetricSources {
  readonly state: () => (typeof stateNames)[number]
  readonly inFlight: () => number
  readonly servedWhileDraining: () => number
  readonly logLinesDropped: () => number
  readonly spansDropped: () => number
}

export interface BuildLabels {
  readonly version: string
  readonly revision: string
}

/** What a process is. Processes of a supervisor are servers. */
export type ProcessRole = 'server' | 'worker'

/** Where a process keeps what it accepts; one without documents has no store. */
export interface BackendLabels {
  readonly store?: string
  readonly queue: string
}

export interface ProcessLabels {
  readonly role: ProcessRole
  readonly build: BuildLabels
  readonly backends: BackendLabels
}

/**
 * The state of the process and its environment.
 *
 * @returns counts one uncaught error
 */
export function createProcessMetrics(
  registry: Registry,
  prefix: string,
  sources: MetricSources,
  { role, build: { version, revision }, backends: { store = '', queue } }: ProcessLabels,
): () => void {
  const registers = [registry]
  new Gauge({
    name: `${prefix}http_requests_in_flight`,
    help: 'HTTP requests of clients accepted and not completely answered',
    registers,
    collect() {
      this.set(sources.inFlight())
    },
  })
  new Counter({
    name: `${prefix}requests_served_while_draining_total`,
    help: 'Application requests answered after the shutdown began',
    registers,
    collect() {
      this.reset()
      this.inc(sources.servedWhileDraining())
    },
  })
  new Gauge({
    name: 'app_state',
    help: 'State of the process: 1 for the current state, 0 for the others',
    labelNames: ['state'],
    registers,
    collect() {
      const current = sources.state()
      for (const state of stateNames) this.set({ state }, state === current ? 1 : 0)
    },
  })
  const uncaughtErrors = new Counter({
    name: 'app_uncaught_errors_total',
    help: 'Uncaught exceptions and unhandled promise rejections',
    registers,
  })
  new Counter({
    name: 'log_lines_dropped_total',
    help: 'Log lines dropped because the reader of the log stalled or closed it',
    registers,
    collect() {
      this.reset()
      this.inc(sources.logLinesDropped())
    },
  })
  new Counter({
    name: 'trace_spans_dropped_total',
    help: 'Spans that no collector received because their export failed or too many waited',
    registers,
    collect() {
      this.reset()
      this.inc(sources.spansDropped())
    },
  })
  new Gauge({
    name: 'tally_info',
    help: 'That this is Tally, and which of its programs: server or worker; the value is always 1',
    labelNames: ['role'],
    aggregator: 'max',
    registers,
  }).set({ role }, 1)
  new Gauge({
    name: 'app_backends_info',
    help: 'Where documents (store) and tasks (queue) are kept; the value is always 1',
    labelNames: ['store', 'queue'],
    // Processes behind one port have the same.
    aggregator: 'max',
    registers,
  }).set({ store, queue }, 1)
  new Gauge({
    name: 'build_info',
    help: 'Version, revision and runtime of this process; the value is always 1',
    labelNames: ['version', 'revision', 'runtime'],
    registers,
  }).set({ version, revision, runtime: `bun ${Bun.version}` }, 1)
  registerMemoryLimit(registry)
  return () => uncaughtErrors.inc()
}

function registerMemoryLimit(registry: Registry): void {
  new Gauge({
    name: 'app_memory_limit_bytes',
    help: 'Memory limit of the container in bytes; absent without a limit',
    // Processes in one container share its limit.
    aggregator: 'max',
    registers: [registry],
    collect() {
      const bytes = process.constrainedMemory()
      // Without a limit this is the memory of the machine.
      if (bytes < totalmem()) this.set(bytes)
      else this.remove()
    },
  })
}
