import type { Report } from '../../bench/report.ts'
import type { Row } from '../../bench/summary.ts'

/** A row with the given CPU time and latency, relative to bare. */
export function row(target: string, ratio: number, timeRatio = ratio): Row {
  const of = (median: number) => ({ median, lowerQuartile: median, upperQuartile: median })
  return {
    target,
    notes: [],
    figures: {
      cpuMicrosPerRequest: 10 * ratio,
      ratio: of(ratio),
      timeRatio: of(timeRatio),
      requestsPerSecond: 1e5 / ratio,
      latencyMsP50: timeRatio,
      latencyMsP99: 2 * timeRatio,
      residentBytes: 50e6,
      serverBusy: 0.9,
      loadBusy: 0.5,
    },
  }
}

/** A report with these rows per workload and nothing else. */
export function reportOf(rows: Readonly<Record<string, readonly Row[]>>): Report {
  return {
    date: '2026-11-21T00:00:00.000Z',
    machine: { cpu: 'A Processor', cores: 2, kernel: '6', bun: '1.4.5', pinned: true, loadAverage: 0 },
    plans: {
      short: { rounds: 21, windowMs: 600, warmUpMs: 1_500 },
      long: { rounds: 7, windowMs: 1_500, warmUpMs: 1_500 },
    },
    leftOut: [],
    workloads: Object.entries(rows).map(([workload, rows]) => ({
      workload,
      title: workload,
      bodyBytes: 57,
      connections: 32,
      rows,
      measurements: [],
    })),
    processes: [],
    starts: [],
    besideHuge: [],
    memory: [],
    findings: [],
  }
}
