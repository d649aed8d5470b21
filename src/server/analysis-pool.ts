import { availableParallelism } from 'node:os'
import { createAnalysisPool } from '../analysis/pool/analysis-pool.ts'
import type { AnalysisPool } from '../analysis/pool/jobs.ts'
import type { Config } from '../config.ts'
import type { Lifecycle } from '../lifecycle/index.ts'

/** The threads that analyse what is large, with the limits of the environment; the lifecycle ends them. */
export function openAnalysisPool(lifecycle: Lifecycle, config: Config): AnalysisPool {
  const limits = { maxNumbers: config.MAX_NUMBERS, maxTextLength: config.MAX_TEXT_LENGTH }
  const threads = createAnalysisPool(limits, config.ANALYSIS_THREADS ?? threadsByCores(config))
  lifecycle.onClose('threads', () => threads.close())
  return threads
}

/** As many as this process has cores for, but one, which is for the event loop. */
function threadsByCores({ WEB_CONCURRENCY }: Config): number {
  return Math.max(1, Math.floor(availableParallelism() / WEB_CONCURRENCY) - 1)
}
