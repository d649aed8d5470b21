import type { InputError } from '../parse/input-error.ts'
import type { PayloadResult } from '../payload-analyzer.ts'

/** The task that a POST /tasks body requests, or the reason for its rejection. */
export type NewTaskResult =
  | {
      readonly ok: true
      readonly task: {
        readonly kind: string
        /** JSON text, stored by the queue. */
        readonly payload: string
        readonly priority: number | undefined
        /** Milliseconds since the epoch. */
        readonly runAt: number | undefined
        readonly delayMs: number | undefined
      }
      /** Fingerprint of the body as sent; computed only for a request with an Idempotency-Key. */
      readonly fingerprint: string | undefined
    }
  | { readonly ok: false; readonly error: InputError }

/** The jobs for a request body, with their results. */
export interface BodyJobs {
  readonly payload: {
    readonly job: { readonly kind: 'payload' }
    readonly result: PayloadResult
  }
  readonly 'new-task': {
    readonly job: { readonly kind: 'new-task'; readonly isKeyed: boolean }
    readonly result: NewTaskResult
  }
}

export type BodyJobKind = keyof BodyJobs

/** A job for a request body. The body is the first `size` bytes of the concatenated blocks. */
export type BodyJob<K extends BodyJobKind = BodyJobKind> = BodyJobs[K]['job'] & {
  readonly blocks: readonly ArrayBuffer[]
  readonly size: number
}

/** A job for a task. */
export interface TaskJob {
  readonly kind: 'task'
  /** JSON text. */
  readonly payload: string
}

export type AnalysisJob = BodyJob | TaskJob

/** The worker threads of a process that analyze large inputs, so that the event loop stays free for other requests. */
export interface AnalysisPool {
  /** Starts a thread if there is none, for a job that will arrive soon. */
  warmUp(): void

  /**
   * Processes a request body.
   *
   * @param options.transfer buffers of the job to move to the thread; they are empty here afterwards
   * @param options.signal aborts the job, even a running one
   * @throws PoolFull, WorkerExited, JobFailed, or the signal's reason when it aborts
   */
  run<K extends BodyJobKind>(
    job: BodyJob<K>,
    options: { readonly transfer: ArrayBuffer[]; readonly signal?: AbortSignal | undefined },
  ): Promise<BodyJobs[K]['result']>

  /**
   * Analyzes a task.
   *
   * @param payload JSON text
   * @returns the result as JSON text
   * @throws PoolFull, WorkerExited, JobFailed (with `errorName` InvalidTaskPayload for an invalid payload), or the
   *   signal's reason when it aborts
   */
  runTask(payload: string, signal?: AbortSignal): Promise<string>

  /** Ends all threads; unfinished jobs are rejected. */
  close(): void
}
