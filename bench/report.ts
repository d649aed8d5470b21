import type { BesideHuge } from './beside-huge.ts'
import type { Finding } from './finding.ts'
import type { Machine } from './machine.ts'
import type { MemoryUse } from './memory.ts'
import type { Plans } from './plans.ts'
import type { Measurement } from './rounds.ts'
import type { StartTime } from './start.ts'
import type { Row } from './summary.ts'

/** Where the report is written, and read again by whatever draws it. */
export const reportFile = 'reports/bench/report.json'

/** All that one run found. */
export interface Report {
  readonly date: string
  readonly machine: Machine
  readonly plans: Plans
  /** Peers that could not be built here, each with the reason. */
  readonly leftOut: readonly string[]
  readonly workloads: readonly WorkloadReport[]
  /** One process beside two (`WEB_CONCURRENCY=2`), under the small workload; one process is 1. */
  readonly processes: readonly Row[]
  readonly starts: readonly StartTime[]
  readonly besideHuge: readonly BesideHuge[]
  readonly memory: readonly MemoryUse[]
  /** Rows of the table of goals that are judged where they are measured. */
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

/** What `bun run bench:large` writes: with SOAK=30 also the row that takes half an hour. */
export const largeBodiesFile = 'reports/bench/large-bodies.json'
