import { type AnalysisThreads, createAnalysisThreads } from '../../src/analysis/pool/analysis-pool.ts'

let opened: AnalysisThreads | undefined

/** The threads of a test's services: one, started when the first large body comes. */
export function analysisThreads(): AnalysisThreads {
  opened ??= createAnalysisThreads({ maxNumbers: 1_000_000, maxTextLength: 1_000_000 }, 1)
  return opened
}
