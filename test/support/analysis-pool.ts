import { createAnalysisPool } from '../../src/analysis/pool/analysis-pool.ts'
import type { AnalysisPool } from '../../src/analysis/pool/jobs.ts'

let opened: AnalysisPool | undefined

/** The threads of a test's services: one, started when the first large body comes. */
export function analysisThreads(): AnalysisPool {
  opened ??= createAnalysisPool({ maxNumbers: 1_000_000, maxTextLength: 1_000_000 }, 1)
  return opened
}
