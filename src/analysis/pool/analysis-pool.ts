import { type RunOptions, ThreadPool } from '../../threads/thread-pool.ts'
import type { AnalysisJob, AnalysisPool, BodyJob, BodyJobKind, BodyJobs } from './jobs.ts'

/**
 * Jobs that may wait for a thread. A rare limit: a worker's concurrency bounds the tasks, and a total size bounds the
 * large bodies.
 */
const maxWaiting = 1_000

/** How long to keep an idle thread, in ms: longer than the pauses of a client that sends one body after another. */
const idleMs = 5_000

/** The program of the threads. It handles every AnalysisJob. */
export interface ThreadProgram {
  readonly url: string
  /** Its last argument; passed as JSON. */
  readonly argument: unknown
}

/**
 * Creates the analysis threads of a process. Requests and tasks take turns, so that many tasks do not delay a request
 * for long.
 */
export function createAnalysisPool({ url, argument }: ThreadProgram, maxThreads: number): AnalysisPool {
  const pool = new ThreadPool<AnalysisJob>({
    // `ref: false`: an idle thread must not keep the process alive. `smol`: the heap grows in smaller steps and so keeps
    // less of a payload's garbage.
    start: () => new Worker(url, { argv: [JSON.stringify(argument)], ref: false, smol: true }),
    maxThreads,
    maxWaiting,
    idleMs,
  })
  return {
    warmUp: () => pool.warmUp(),
    run: <K extends BodyJobKind>(job: BodyJob<K>, options: RunOptions) =>
      pool.run<BodyJobs[K]['result']>(job, { ...options, lane: 'requests' }),
    runTask: (payload, signal) => pool.run<string>({ kind: 'task', payload }, { signal, lane: 'tasks' }),
    close: () => pool.close(),
  }
}
