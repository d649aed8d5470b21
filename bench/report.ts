import type { BesideHuge } from './beside-huge.ts'
import type { Finding } from './finding.ts'
import type { Machine } from './machine.ts'
import type { MemoryUse } from './memory.ts'
import type { Plans } from './plans.ts'
import type { Measurement } from './rounds.ts'
import type { StartTime } from './start.ts'
import type { Row } from './summary.ts'

/** The report's path, for the writer and for the commands that draw it. */
export const reportFile = 'reports/bench/report.json'

/** All results of one run. */
export interface Report {
  readonly date: string
  readonly machine: Machine
  readonly plans: Plans
  /** Skipped peers, each with the reason. */
  readonly leftOut: readonly string[]
  readonly workloads: readonly WorkloadReport[]
  /** One process and two (`WEB_CONCURRENCY=2`) under the small workload; one process = 1. */
  readonly processes: readonly Row[]
  readonly starts: readonly StartTime[]
  readonly besideHuge: readonly BesideHuge[]
  readonly memory: readonly MemoryUse[]
  /** Rows of the table of goals whose own measurement judged them. */
  readonly findings: readonly (Finding & { readonly row: number })[]
}

export interface WorkloadReport {
  readonly workload: string
  readonly title: string
  readonly bodyBytes: number
  readonly connections: number
  readonly rows: readonly Row[]
  readonly measurements: readonly Measurement[]
}

/** Output of `bun run bench:large`; with SOAK=30 it includes the soak row. */
export const largeBodiesFile = 'reports/bench/large-bodies.json'
