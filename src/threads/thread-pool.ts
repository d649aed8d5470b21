import { FairQueue } from './fair-queue.ts'

/** The part of Bun's Worker that the pool uses. */
export interface Thread {
  postMessage(message: unknown, transfer: ArrayBuffer[]): void
  terminate(): void
  addEventListener(
    type: 'message' | 'error' | 'close' | 'messageerror',
    listener: (event: Event) => void,
  ): void
}

/** A thread's reply to a job. */
export type Reply =
  | { readonly ok: true; readonly result: unknown }
  | { readonly ok: false; readonly name: string; readonly message: string }

/** The reply to a job that threw. */
export function failureReply(error: unknown): Reply {
  const { name, message } = error instanceof Error ? error : new Error(String(error))
  return { ok: false, name, message }
}

/** A message that a thread sends once, before its replies, if its start does not count as part of its first job. */
export const threadReady = 'ready'

export interface ThreadPoolOptions {
  /** Starts one more thread. It replies to each message (a job) with a Reply. */
  readonly start: () => Thread
  /** The largest number of threads. The pool starts them on demand. */
  readonly maxThreads: number
  /** Jobs that may wait for a thread; one more is rejected. */
  readonly maxWaiting: number
  /** Whether threads send `threadReady`. If so, the timeout of a job starts after it. Default: false. */
  readonly announcesReady?: boolean
  /** How long to keep an idle thread, in ms. A heap hardly shrinks: only the end of its thread frees the memory. */
  readonly idleMs: number
}

export interface RunOptions {
  /** Buffers of the job that move to the thread; they are empty here afterwards. Default: none. */
  readonly transfer?: ArrayBuffer[]
  /** Aborts the job. If it is already running, its thread is terminated. */
  readonly signal?: AbortSignal | undefined
  /** How long the job may run before its thread is terminated, in ms, without its time in the queue. Default: no limit. */
  readonly timeoutMs?: number | undefined
  /** The kind of job. Lanes with waiting jobs take turns, so that no lane delays another for long. Default: one lane. */
  readonly lane?: string
}

interface Waiting {
  readonly job: unknown
  readonly transfer: ArrayBuffer[]
  readonly signal: AbortSignal | undefined
  readonly timeoutMs: number | undefined
  readonly resolve: (result: unknown) => void
  readonly reject: (error: unknown) => void
}

/** A thread exited before it finished its job. */
export class WorkerExited extends Error {
  override readonly name = 'WorkerExited'
}

/** The maximum number of jobs is waiting, or the pool is closed. */
export class PoolFull extends Error {
  override readonly name = 'PoolFull'
  readonly code = 'pool-full'
}

/** A job exceeded its timeout. */
export class JobTimedOut extends Error {
  override readonly name = 'JobTimedOut'
}

/** A job threw an error, which its thread reported. */
export class JobFailed extends Error {
  override readonly name = 'JobFailed'
  constructor(
    /** The name of the error that the job threw. */
    readonly errorName: string,
    message: string,
  ) {
    super(message)
  }
}

/**
 * Runs jobs on worker threads, so that the event loop stays free. A thread runs one job at a time. If a thread exits,
 * only its own job fails. To abort a running job, the pool terminates its thread, because nothing else stops a loop;
 * the next job gets a new thread.
 *
 * Jobs and results should be text, transferred buffers, or small: the structured clone of a large object would cost the
 * event loop more than the job saves.
 */
export class ThreadPool<Job> {
  readonly #options: ThreadPoolOptions
  /** Idle threads, each with the timer that terminates it. */
  readonly #idle = new Map<Thread, ReturnType<typeof setTimeout>>()
  /** Busy threads, each with the function that fails its job. */
  readonly #busy = new Map<Thread, (error: unknown) => void>()
  /** The receiver of each thread's reply. */
  readonly #receivers = new Map<Thread, (reply: Reply) => void>()
  /** Threads that are not ready yet, each with its callback. */
  readonly #starting = new Map<Thread, () => void>()
  readonly #waiting = new FairQueue<Waiting>()
  #closed = false

  constructor(options: ThreadPoolOptions) {
    this.#options = options
  }

  /**
   * @returns the thread's result, whose type the caller knows
   * @throws JobFailed if the job itself failed; JobTimedOut; WorkerExited; PoolFull; the signal's reason when it aborts
   */
  run<Result>(job: Job, { transfer = [], signal, timeoutMs, lane = '' }: RunOptions = {}): Promise<Result> {
    if (this.#closed) return Promise.reject(new PoolFull('the pool is closed'))
    if (this.#waiting.size >= this.#options.maxWaiting)
      return Promise.reject(new PoolFull(`${this.#waiting.size} jobs are already waiting`))
    if (signal?.aborted) return Promise.reject(signal.reason)
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    const waiting: Waiting = { job, transfer, signal, timeoutMs, resolve, reject }
    this.#waiting.push(lane, waiting)
    signal?.addEventListener('abort', () => this.#waiting.remove(lane, waiting) && reject(signal.reason), {
      once: true,
    })
    this.#assignNext()
    return promise as Promise<Result>
  }

  /** Starts a thread if there is none and one can start, so that the next job need not wait for the start. */
  warmUp(): void {
    if (!this.#closed && this.#idle.size === 0 && this.#busy.size === 0 && canStartThread())
      this.#release(this.#startThread())
  }

  /** Terminates all threads; unfinished jobs are rejected. */
  close(): void {
    this.#closed = true
    for (const { reject } of this.#waiting.drain()) reject(new WorkerExited('the pool is closed'))
    for (const fail of [...this.#busy.values()]) fail(new WorkerExited('the pool is closed'))
    for (const thread of [...this.#idle.keys()]) this.#terminate(thread)
  }

  /** Assigns waiting jobs to threads, as long as a thread is free. A thread that cannot start fails only its own job. */
  #assignNext(): void {
    while (this.#waiting.size > 0) {
      let thread: Thread | undefined
      try {
        thread = this.#acquire()
      } catch (error) {
        this.#waiting.shift()?.reject(error)
        continue
      }
      if (thread === undefined) return
      this.#assign(thread, this.#waiting.shift() as Waiting)
    }
  }

  #acquire(): Thread | undefined {
    for (const [thread, timer] of this.#idle) {
      clearTimeout(timer)
      this.#idle.delete(thread)
      return thread
    }
    if (this.#busy.size >= this.#options.maxThreads) return undefined
    if (!canStartThread()) throw new PoolFull('too few file descriptors are left for a thread')
    return this.#startThread()
  }

  #assign(thread: Thread, { job, transfer, signal, timeoutMs, resolve, reject }: Waiting): void {
    const settle = (): boolean => {
      signal?.removeEventListener('abort', onAbort)
      clearTimeout(timer)
      return this.#busy.delete(thread)
    }
    const fail = (error: unknown): void => {
      if (!settle()) return
      this.#terminate(thread)
      reject(error)
      this.#assignNext()
    }
    const onAbort = (): void => fail(signal?.reason)
    let timer: ReturnType<typeof setTimeout> | undefined
    const startTimer = (): void => {
      if (timeoutMs === undefined) return
      const error = new JobTimedOut(`the job ran for longer than ${timeoutMs} ms`)
      timer = setTimeout(() => fail(error), timeoutMs)
    }
    if (this.#starting.has(thread)) this.#starting.set(thread, startTimer)
    else startTimer()
    this.#busy.set(thread, fail)
    this.#receivers.set(thread, (reply) => {
      if (!settle()) return
      this.#release(thread)
      if (reply.ok) resolve(reply.result)
      else reject(new JobFailed(reply.name, reply.message))
      this.#assignNext()
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
    this.#receivers.delete(thread)
    this.#starting.delete(thread)
    thread.terminate()
  }

  #startThread(): Thread {
    const thread = this.#options.start()
    const onExit = (event: Event): void => {
      const reason = 'message' in event && event.message ? `: ${event.message}` : ''
      clearTimeout(this.#idle.get(thread))
      this.#idle.delete(thread)
      this.#receivers.delete(thread)
      this.#starting.delete(thread)
      this.#busy.get(thread)?.(new WorkerExited(`the thread of the job ended${reason}`))
    }
    if (this.#options.announcesReady) this.#starting.set(thread, () => {})
    thread.addEventListener('message', (event) => {
      const { data } = event as MessageEvent<Reply | typeof threadReady>
      if (data !== threadReady) return this.#receivers.get(thread)?.(data)
      this.#starting.get(thread)?.()
      this.#starting.delete(thread)
    })
    for (const type of ['error', 'messageerror', 'close'] as const) thread.addEventListener(type, onExit)
    return thread
  }
}

/** A thread's event loop takes some file descriptors, and its modules take more while they load. */
const descriptorsPerThread = 16

/**
 * Whether enough file descriptors are left for a thread. Without them the runtime ends the whole process: clients that keep
 * all descriptors in use with idle connections would end the service with one large body.
 */
function canStartThread(): boolean {
  const { openSync, closeSync } = process.getBuiltinModule('node:fs')
  const opened: number[] = []
  try {
    while (opened.length < descriptorsPerThread) opened.push(openSync('/dev/null', 'r'))
    return true
  } catch {
    return false
  } finally {
    for (const fd of opened) closeSync(fd)
  }
}
