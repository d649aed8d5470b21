import { FairQueue } from './fair-queue.ts'

/** What the pool needs of a thread; Bun's Worker has it. */
export interface Thread {
  postMessage(message: unknown, transfer: ArrayBuffer[]): void
  terminate(): void
  addEventListener(
    type: 'message' | 'error' | 'close' | 'messageerror',
    listener: (event: Event) => void,
  ): void
}

/** What a thread answers to a job. */
export type Answer =
  | { readonly ok: true; readonly result: unknown }
  | { readonly ok: false; readonly name: string; readonly message: string }

export interface ThreadPoolOptions {
  /** Starts one more thread, which answers each message, a job, with an Answer. */
  readonly start: () => Thread
  /** Threads at the most. They are started when needed. */
  readonly maxThreads: number
  /** Jobs that may wait for a thread; one more is refused. */
  readonly maxWaiting: number
  /**
   * How long a thread without a job is kept, in ms. A heap never gets much smaller than it once was: only the end of
   * its thread gives the memory back.
   */
  readonly idleMs: number
}

export interface RunOptions {
  /** Buffers of the job that move to the thread and are empty here from then on. Default: none. */
  readonly transfer?: ArrayBuffer[]
  /** Ends the job, also one that runs: its thread goes with it. */
  readonly signal?: AbortSignal | undefined
  /** What kind of job this is. FairQueue in which jobs wait are served in turns, so that none holds up another for long. */
  readonly lane?: string
}

interface Waiting {
  readonly job: unknown
  readonly transfer: ArrayBuffer[]
  readonly signal: AbortSignal | undefined
  readonly resolve: (result: unknown) => void
  readonly reject: (error: unknown) => void
}

/** A thread ended in the middle of a job. */
export class WorkerExited extends Error {
  override readonly name = 'WorkerExited'
}

/** As many jobs wait as may, or the pool is closed. */
export class PoolFull extends Error {
  override readonly name = 'PoolFull'
  readonly code = 'pool-full'
}

/** A job's own error, as its thread told it. */
export class JobFailed extends Error {
  override readonly name = 'JobFailed'
  constructor(
    /** The name of the error that the thread met. */
    readonly errorName: string,
    message: string,
  ) {
    super(message)
  }
}

/**
 * Runs jobs on threads of their own, so that this thread can answer others meanwhile. A thread has one job at a time.
 * One that dies takes its job with it and nothing else, and one whose job is aborted is ended, for nothing else stops
 * a loop; the next job gets a new thread in its place.
 *
 * Jobs and results should be text, transferred buffers, or small: structured clone of a large object would cost this
 * thread more than the job saves it.
 */
export class ThreadPool<Job> {
  readonly #options: ThreadPoolOptions
  /** Threads without a job, and the timer that ends each. */
  readonly #idle = new Map<Thread, ReturnType<typeof setTimeout>>()
  /** How to end the job of a thread. */
  readonly #busy = new Map<Thread, (error: unknown) => void>()
  /** Who hears what a thread answers. */
  readonly #answers = new Map<Thread, (answer: Answer) => void>()
  readonly #waiting = new FairQueue<Waiting>()
  #closed = false

  constructor(options: ThreadPoolOptions) {
    this.#options = options
  }

  /**
   * @returns what the thread answers to such a job; of which type that is, the caller knows
   * @throws JobFailed when the job itself failed; WorkerExited; PoolFull; the signal's reason when it aborts
   */
  run<Result>(job: Job, { transfer = [], signal, lane = '' }: RunOptions = {}): Promise<Result> {
    if (this.#closed || this.#waiting.size >= this.#options.maxWaiting)
      return Promise.reject(new PoolFull(`${this.#waiting.size} jobs are waiting already`))
    if (signal?.aborted) return Promise.reject(signal.reason)
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    const waiting: Waiting = { job, transfer, signal, resolve, reject }
    this.#waiting.push(lane, waiting)
    signal?.addEventListener('abort', () => this.#waiting.remove(lane, waiting) && reject(signal.reason), {
      once: true,
    })
    this.#next()
    return promise as Promise<Result>
  }

  /** Starts a thread if none is there: for a job that is about to come, so that it need not wait for the start. */
  warmUp(): void {
    if (!this.#closed && this.#idle.size === 0 && this.#busy.size === 0) this.#release(this.#start())
  }

  /** Ends all threads; what they were doing rejects. */
  close(): void {
    this.#closed = true
    for (const { reject } of this.#waiting.drain()) reject(new WorkerExited('the pool is closed'))
    for (const end of [...this.#busy.values()]) end(new WorkerExited('the pool is closed'))
    for (const thread of [...this.#idle.keys()]) this.#terminate(thread)
  }

  /** Gives the jobs that are next to threads, as long as there are any to be had. */
  #next(): void {
    while (this.#waiting.size > 0) {
      const thread = this.#free()
      if (thread === undefined) return
      this.#assign(thread, this.#waiting.shift() as Waiting)
    }
  }

  #free(): Thread | undefined {
    for (const [thread, timer] of this.#idle) {
      clearTimeout(timer)
      this.#idle.delete(thread)
      return thread
    }
    return this.#busy.size < this.#options.maxThreads ? this.#start() : undefined
  }

  #assign(thread: Thread, { job, transfer, signal, resolve, reject }: Waiting): void {
    const settle = (): boolean => {
      signal?.removeEventListener('abort', onAbort)
      return this.#busy.delete(thread)
    }
    const end = (error: unknown): void => {
      if (!settle()) return
      this.#answers.delete(thread)
      thread.terminate()
      reject(error)
      this.#next()
    }
    const onAbort = (): void => end(signal?.reason)
    this.#busy.set(thread, end)
    this.#answers.set(thread, (answer) => {
      if (!settle()) return
      this.#release(thread)
      if (answer.ok) resolve(answer.result)
      else reject(new JobFailed(answer.name, answer.message))
      this.#next()
    })
    signal?.addEventListener('abort', onAbort)
    thread.postMessage(job, transfer)
  }

  #release(thread: Thread): void {
    const timer = setTimeout(() => this.#terminate(thread), this.#options.idleMs)
    timer.unref()
    this.#idle.set(thread, timer)
  }

  #terminate(thread: Thread): void {
    clearTimeout(this.#idle.get(thread))
    this.#idle.delete(thread)
    this.#answers.delete(thread)
    thread.terminate()
  }

  #start(): Thread {
    const thread = this.#options.start()
    const died = (event: Event): void => {
      const reason = 'message' in event && event.message ? `: ${event.message}` : ''
      clearTimeout(this.#idle.get(thread))
      this.#idle.delete(thread)
      this.#busy.get(thread)?.(new WorkerExited(`the thread of the job ended${reason}`))
    }
    thread.addEventListener('message', (event) => {
      this.#answers.get(thread)?.((event as MessageEvent<Answer>).data)
    })
    for (const type of ['error', 'messageerror', 'close'] as const) thread.addEventListener(type, died)
    return thread
  }
}
