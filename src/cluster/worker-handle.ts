import { withTimeout } from '../lifecycle/index.ts'
import type {
  FromWorker,
  MetricsSnapshot,
  PrimaryRequest,
  PrimaryResponses,
  ToWorker,
  WorkerRequest,
  WorkerResponses,
} from './messages.ts'
import { RpcClient } from './rpc-client.ts'
import { workerArguments } from './worker-argument.ts'

export interface WorkerHandleOptions {
  /** The command of the process, without the arguments that make it a worker process. */
  readonly command: readonly string[]
  /** Which of the processes it is, from 1. */
  readonly number: number
  readonly env: Readonly<Record<string, string | undefined>>
  readonly onRequest: (
    worker: WorkerHandle,
    request: PrimaryRequest,
  ) => Promise<PrimaryResponses[PrimaryRequest['kind']]>
  readonly onExit: (worker: WorkerHandle, exitCode: number) => Promise<void>
}

/** A worker process, as its supervisor sees it. */
export class WorkerHandle {
  /** Resolves with the exit code, after `onExit`. */
  readonly exited: Promise<number>
  /** Which of the processes it is, from 1. */
  readonly number: number
  /** The latest known metrics of the process. */
  snapshot: MetricsSnapshot = []
  readonly #startedAt = performance.now()
  readonly #child: Bun.Subprocess
  readonly #onRequest: WorkerHandleOptions['onRequest']
  readonly #client: RpcClient<WorkerRequest, WorkerResponses>
  readonly #listening = Promise.withResolvers<number>()
  #state: 'starting' | 'running' | 'retiring' = 'starting'

  constructor({ command, number, env, onRequest, onExit }: WorkerHandleOptions) {
    this.number = number
    this.#onRequest = onRequest
    this.#client = new RpcClient((message) => this.#send(message))
    this.#child = Bun.spawn([...command, ...workerArguments(number)], {
      env,
      stdin: 'ignore',
      stdout: 'inherit',
      stderr: 'inherit',
      // A process group of its own: Ctrl-C at a terminal reaches only the supervisor, which forwards it once.
      detached: true,
      ipc: (message: FromWorker) => this.#handleMessage(message),
    })
    this.exited = this.#child.exited.then(async (exitCode) => {
      this.#listening.reject(new WorkerStartError(exitCode))
      await onExit(this, exitCode)
      return exitCode
    })
  }

  get pid(): number {
    return this.#child.pid
  }

  /** `starting` until it listens; `retiring` from the moment that the supervisor ends it. */
  get state(): 'starting' | 'running' | 'retiring' | 'exited' {
    return this.#hasExited ? 'exited' : this.#state
  }

  /** True when the supervisor has ended this process. */
  get isRetiring(): boolean {
    return this.#state === 'retiring'
  }

  /** Time since the start, in ms. */
  get ageMs(): number {
    return performance.now() - this.#startedAt
  }

  /**
   * Resolves with the port as soon as the process listens. A process that is not listening at the timeout is killed.
   *
   * @throws WorkerStartError when the process exits instead
   */
  waitUntilListening(timeoutMs: number): Promise<number> {
    const { promise } = this.#listening
    return withTimeout(promise, timeoutMs, () => {
      this.kill()
      return promise
    })
  }

  /** @returns the response, or undefined when the process has exited or does not respond within `timeoutMs` */
  async request<One extends WorkerRequest>(
    request: One,
    timeoutMs: number,
  ): Promise<WorkerResponses[One['kind']] | undefined> {
    return this.#hasExited ? undefined : await this.#client.request(request, timeoutMs)
  }

  /** Marks the process as one whose exit is expected. */
  retire(): void {
    this.#state = 'retiring'
  }

  /** Sends SIGTERM: the process drains and exits. */
  terminate(): void {
    this.#child.kill('SIGTERM')
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }

  get #hasExited(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  #send(message: ToWorker): void {
    // The process may exit between the decision and the sending. `onExit` handles that.
    if (!this.#hasExited) this.#child.send(message)
  }

  async #handleMessage(message: FromWorker): Promise<void> {
    switch (message.type) {
      case 'listening':
        if (this.#state === 'starting') this.#state = 'running'
        this.#listening.resolve(message.port)
        return
      case 'metrics':
        this.snapshot = message.snapshot
        return
      case 'response':
        this.#client.handleResponse(message)
        return
      case 'request': {
        const response = await this.#onRequest(this, message.request)
        this.#send({ type: 'response', id: message.id, response })
        return
      }
    }
  }
}

/** A worker process exited before it listened. */
export class WorkerStartError extends Error {
  override readonly name = 'WorkerStartError'

  constructor(readonly exitCode: number) {
    super(`a worker process exited with ${exitCode} before it listened`)
  }
}
