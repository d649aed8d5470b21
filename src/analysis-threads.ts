import { availableParallelism } from 'node:os'
import type { PayloadLimits } from './analysis/payload.ts'
import { ThreadPool } from './threads/thread-pool.ts'

/** Jobs that may wait for a thread. A worker has as many tasks in hand as its concurrency, so this is never reached. */
const waitingMax = 1_000

/** The threads that analyse large payloads: as many as there are cores, but one, which is for the event loop. */
export function createAnalysisThreads(limits: PayloadLimits): ThreadPool {
  return new ThreadPool({
    start: () => new Worker(threadUrl(), { argv: [JSON.stringify(limits)] }),
    threadsMax: Math.max(1, availableParallelism() - 1),
    waitingMax,
  })
}

/** The thread's program lies beside this one: as source, or as a bundle of its own. */
function threadUrl(): string {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  return new URL(`./analysis-thread.${extension}`, import.meta.url).href
}
