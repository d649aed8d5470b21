import type { Measurement, Window } from './rounds.ts'
import { quantile, type Spread, spread } from './statistics.ts'

/** One target under one workload: medians over the rounds. */
export interface Row {
  readonly target: string
  readonly rejected?: string
  readonly notes: readonly string[]
  readonly figures?: Figures
}

/** Medians over a target's windows. */
export interface Figures {
  readonly cpuMicrosPerRequest: number
  /** CPU time per request relative to the baseline in the same round; absent if the baseline was rejected. */
  readonly ratio?: Spread
  /** Median latency relative to the baseline in the same round. */
  readonly timeRatio?: Spread
  readonly requestsPerSecond: number
  readonly latencyMsP50: number
  readonly latencyMsP99: number
  readonly residentBytes: number
  readonly serverBusy: number
  readonly loadBusy: number
}

/**
 * Summarizes the rounds. Computes the ratio per round first and then its median: the windows of one round are seconds
 * apart and share the machine's state, while the medians of two columns do not.
 */
export function summarize(measurements: readonly Measurement[], baseline: string): Row[] {
  const base = measurements.find(({ target, rejected }) => target === baseline && rejected === undefined)
  return measurements.map(({ target, windows, notes, rejected }) =>
    rejected === undefined
      ? { target, notes, figures: figuresOf(windows, base?.windows) }
      : { target, notes, rejected },
  )
}

function figuresOf(windows: readonly Window[], base: readonly Window[] | undefined): Figures {
  const median = (figure: (window: Window) => number): number => quantile(windows.map(figure), 0.5)
  const overBase = (figure: (window: Window) => number): Spread | undefined =>
    base && spread(windows.map((window, round) => figure(window) / figure(base[round]!)))
  const ratio = overBase((window) => window.cpuMicrosPerRequest)
  const timeRatio = overBase((window) => window.latencyMsP50)
  return {
    cpuMicrosPerRequest: median((window) => window.cpuMicrosPerRequest),
    ...(ratio === undefined ? {} : { ratio }),
    ...(timeRatio === undefined ? {} : { timeRatio }),
    requestsPerSecond: median((window) => window.requests / window.seconds),
    latencyMsP50: median((window) => window.latencyMsP50),
    latencyMsP99: median((window) => window.latencyMsP99),
    residentBytes: median((window) => window.residentBytes),
    serverBusy: median((window) => window.serverBusy),
    loadBusy: median((window) => window.loadBusy),
  }
}
