/** What the pool needs of a thread; Bun's Worker has it. */
export interface Thread {
  postMessage(message: string): void
  terminate(): void
  addEventListener(
    type: 'message' | 'error' | 'close' | 'messageerror',
    listener: (event: Event) => void,
  ): void
}

/** What a thread answers to a job. */
export type Answer =
  | { readonly ok: true; readonly result: string }
  | { readonly ok: false; readonly name: string; readonly message: string }

export interface ThreadPoolOptions {
  /** Starts one more thread, which answers each message, a job's text, with an Answer. */
  readonly start: () => Thread
  /** Threads at the most. They are started when needed, and then stay. */
  readonly threadsMax: number
  /** Jobs that may wait for a thread; one more is refused. */
  readonly waitingMax: number
}

interface Job {
  readonly text: string
  readonly signal: AbortSignal | undefined
  readonly resolve: (result: string) => void
  readonly reject: (error: unknown) => void
}

/** A thread ended in the middle of a job. */
export class ThreadDied extends Error {
  override readonly name = 'ThreadDied'
}

/** As many jobs wait as may, or the pool is closed. */
export class PoolFull extends Error {
  override readonly name = 'PoolFull'
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
 * Jobs and results are text: structured clone of a large object would cost this thread more than the job saves it.
 */
export class ThreadPool {
  readonly #options: ThreadPoolOptions
  readonly #idle: Thread[] = []
  /** How to end the job of a thread. */
  readonly #busy = new Map<Thread, (error: unknown) => void>()
  /** Who hears what a thread answers. */
  readonly #answers = new Map<Thread, (answer: Answer) => void>()
  readonly #waiting: Job[] = []
  #closed = false

  constructor(options: ThreadPoolOptions) {
    this.#options = options
  }

  /**
   * @throws JobFailed when the job itself failed; ThreadDied; PoolFull; the signal's reason when it aborts
   */
  run(text: string, signal?: AbortSignal): Promise<string> {
    if (this.#closed || this.#waiting.length >= this.#options.waitingMax)
      return Promise.reject(new PoolFull(`${this.#waiting.length} jobs are waiting already`))
    return new Promise((resolve, reject) => {
      this.#waiting.push({ text, signal, resolve, reject })
      this.#next()
    })
  }

  /** Ends all threads; what they were doing rejects. */
  close(): void {
    this.#closed = true
    for (const { reject } of this.#waiting.splice(0)) reject(new ThreadDied('the pool is closed'))
    for (const end of [...this.#busy.values()]) end(new ThreadDied('the pool is closed'))
    for (const thread of this.#idle.splice(0)) thread.terminate()
  }

  /** Gives the job that waits longest to a thread, if there is one to be had. */
  #next(): void {
    while (this.#waiting.length > 0) {
      const free =
        this.#idle.pop() ?? (this.#busy.size < this.#options.threadsMax ? this.#start() : undefined)
      if (free === undefined) return
      const job = this.#waiting.shift() as Job
      if (job.signal?.aborted) {
        this.#idle.push(free)
        job.reject(job.signal.reason)
      } else this.#give(free, job)
    }
  }

  #give(thread: Thread, { text, signal, resolve, reject }: Job): void {
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
      this.#idle.push(thread)
      if (answer.ok) resolve(answer.result)
      else reject(new JobFailed(answer.name, answer.message))
      this.#next()
    })
    signal?.addEventListener('abort', onAbort)
    thread.postMessage(text)
  }

  #start(): Thread {
    const thread = this.#options.start()
    const died = (event: Event): void => {
      const reason = 'message' in event && event.message ? `: ${event.message}` : ''
      const index = this.#idle.indexOf(thread)
      if (index !== -1) this.#idle.splice(index, 1)
      this.#busy.get(thread)?.(new ThreadDied(`the thread of the job ended${reason}`))
    }
    thread.addEventListener('message', (event) => {
      this.#answers.get(thread)?.((event as MessageEvent<Answer>).data)
    })
    for (const type of ['error', 'messageerror', 'close'] as const) thread.addEventListener(type, died)
    return thread
  }
}
