import type { BodyWork, LargeBody, LargeBodyThreads } from '../../http/body/large-body.ts'
import type { TaskThreads } from '../../tasks/handlers.ts'
import type { PayloadLimits } from '../payload.ts'
import { type RunOptions, ThreadPool } from './thread-pool.ts'

/** What a thread is given. */
export type AnalysisJob = LargeBody | { readonly kind: 'task'; readonly payload: string }

/**
 * Jobs that may wait for a thread. A worker has as many tasks in hand as its concurrency and the bytes of large bodies
 * are bounded, so this is hardly ever reached.
 */
const waitingMax = 1_000

/** How long a thread is kept without work, in ms: longer than the pauses of whoever sends one after another. */
const idleMs = 5_000

export interface AnalysisThreads extends LargeBodyThreads, TaskThreads {
  /** Ends the threads; what they were doing fails. */
  close(): void
}

/**
 * The threads of a process that analyse what is large, for requests and tasks alike: in turns, so that no number of
 * tasks holds up a request.
 */
export function createAnalysisThreads(limits: PayloadLimits, threadsMax: number): AnalysisThreads {
  const pool = new ThreadPool<AnalysisJob>({
    // Not referenced: what keeps a process is what it serves, not a thread that it has. `smol`: a heap that grows in
    // smaller steps, so that less of a payload's garbage is kept.
    start: () => new Worker(threadUrl(), { argv: [JSON.stringify(limits)], ref: false, smol: true }),
    threadsMax,
    waitingMax,
    idleMs,
  })
  return {
    prepare: () => pool.prepare(),
    run: <K extends keyof BodyWork>(body: LargeBody<K>, options: RunOptions) =>
      pool.run<BodyWork[K]['outcome']>(body, { ...options, lane: 'requests' }),
    runTask: (payload, signal) => pool.run<string>({ kind: 'task', payload }, { signal, lane: 'tasks' }),
    close: () => pool.close(),
  }
}

/**
 * The thread's program: as source it lies beside this one, as a bundle beside the program that was started. What
 * `import.meta.url` says is no help there: into CommonJS the bundler writes where the source was.
 */
function threadUrl(): string {
  return Bun.main.endsWith('.js')
    ? new URL('./analysis-worker.js', Bun.pathToFileURL(Bun.main)).href
    : new URL('./analysis-worker.ts', import.meta.url).href
}
