import { availableParallelism } from 'node:os'
import { createAnalysisPool, type ThreadProgram } from '../analysis/pool/analysis-pool.ts'
import type { AnalysisPool } from '../analysis/pool/jobs.ts'
import type { Config } from '../config.ts'
import type { Lifecycle } from '../lifecycle/index.ts'
import type { NewTaskOptions } from '../tasks/new-task.ts'
import { programUrl } from '../threads/program-url.ts'

/** Opens the pool that analyzes large inputs, with the configured limits; the lifecycle closes it. */
export function openAnalysisPool(lifecycle: Lifecycle, config: Config): AnalysisPool {
  const limits = { maxNumbers: config.MAX_NUMBERS, maxTextLength: config.MAX_TEXT_LENGTH }
  const program = analysisProgram({ limits, debug: config.DEBUG_ROUTES })
  const pool = createAnalysisPool(program, countThreads(config))
  lifecycle.onClose('threads', () => pool.close())
  return pool
}

/** The program of an analysis thread. */
export function analysisProgram(argument: NewTaskOptions): ThreadProgram {
  return { url: programUrl('analysis-worker', import.meta.url), argument }
}

/** The configured number of threads. Default: this process's share of the cores, minus one for the event loop. */
export function countThreads({ ANALYSIS_THREADS, WEB_CONCURRENCY }: Config): number {
  return ANALYSIS_THREADS ?? Math.max(1, Math.floor(availableParallelism() / WEB_CONCURRENCY) - 1)
}
