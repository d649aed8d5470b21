import { availableParallelism } from 'node:os'
import { createAnalysisPool } from '../analysis/pool/analysis-pool.ts'
import type { AnalysisPool } from '../analysis/pool/jobs.ts'
import type { Config } from '../config.ts'
import type { Lifecycle } from '../lifecycle/index.ts'

/** Opens the pool that analyzes large inputs, with the configured limits; the lifecycle closes it. */
export function openAnalysisPool(lifecycle: Lifecycle, config: Config): AnalysisPool {
  const limits = { maxNumbers: config.MAX_NUMBERS, maxTextLength: config.MAX_TEXT_LENGTH }
  const pool = createAnalysisPool(limits, config.ANALYSIS_THREADS ?? defaultThreads(config))
  lifecycle.onClose('threads', () => pool.close())
  return pool
}

/** This process's share of the cores, minus one for the event loop. */
function defaultThreads({ WEB_CONCURRENCY }: Config): number {
  return Math.max(1, Math.floor(availableParallelism() / WEB_CONCURRENCY) - 1)
}
