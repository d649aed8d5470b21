import type {
  FromWorker,
  MetricsSnapshot,
  PrimaryRequest,
  PrimaryResponses,
  ToWorker,
  WorkerRequest,
  WorkerResponses,
} from './messages.ts'
import type { ProcessExit } from './process-group.ts'
import { RpcClient } from './rpc-client.ts'
import { workerArguments } from './worker-argument.ts'

export interface WorkerHandleOptions {
  /** The command of the process, without the arguments that make it a worker process. */
  readonly command: readonly string[]
  /** Which of the processes it is, from 1. */
  readonly number: number
  readonly env: Readonly<Record<string, string | undefined>>
  readonly events: WorkerEvents
}

/** Events of a worker process, for its supervisor. */
export interface WorkerEvents {
  listening(port: number): void
  /** It has begun to drain. */
  draining(): void
  /** It has answered a heartbeat. */
  answered(): void
  /** The process is busy and will not answer for `forMs`; 0 ends that. */
  busy(forMs: number): void
  metrics(snapshot: MetricsSnapshot): void
  /** @throws when there is no response */
  request(request: PrimaryRequest): Promise<PrimaryResponses[PrimaryRequest['kind']]>
  exited(exit: ProcessExit): void
}

/** The process of a supervisor's child, and the channel to it. */
export class WorkerHandle {
  /** Resolves after the event `exited`. */
  readonly exited: Promise<ProcessExit>
  /** Which of the processes it is, from 1. */
  readonly number: number
  readonly #child: Bun.Subprocess
  readonly #events: WorkerEvents
  readonly #client: RpcClient<WorkerRequest, WorkerResponses>

  /** @throws when the process cannot be created */
  constructor({ command, number, env, events }: WorkerHandleOptions) {
    this.number = number
    this.#events = events
    this.#client = new RpcClient((message) => this.#send(message))
    this.#child = Bun.spawn([...command, ...workerArguments(number)], {
      env,
      stdin: 'ignore',
      stdout: 'inherit',
      stderr: 'inherit',
      // A separate process group: Ctrl-C at a terminal reaches only the supervisor, which forwards it once.
      detached: true,
      ipc: (message: FromWorker) => void this.#handleMessage(message),
    })
    this.exited = this.#child.exited.then((code) => {
      const { signalCode } = this.#child
      const exit: ProcessExit = signalCode === null ? { code } : { code, signal: String(signalCode) }
      events.exited(exit)
      return exit
    })
  }

  get pid(): number {
    return this.#child.pid
  }

  /** @returns the response, or undefined when the process has exited or does not respond within `timeoutMs` */
  async request<One extends WorkerRequest>(
    request: One,
    timeoutMs: number,
  ): Promise<WorkerResponses[One['kind']] | undefined> {
    return this.#hasExited ? undefined : await this.#client.request(request, timeoutMs)
  }

  /** Sends a heartbeat, which expects an answer and carries the number of running processes and of all. */
  sendHeartbeat(running: number, count: number): void {
    this.#send({ type: 'heartbeat', running, count })
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
    if (this.#hasExited) return
    try {
      this.#child.send(message)
    } catch {
      // The process exits at this moment, or has closed its channel: the missing answer shows that.
    }
  }

  async #handleMessage(message: FromWorker): Promise<void> {
    switch (message.type) {
      case 'listening':
        this.#events.listening(message.port)
        return
      case 'draining':
        this.#events.draining()
        return
      case 'heartbeat':
        this.#events.answered()
        return
      case 'busy':
        this.#events.busy(message.forMs)
        return
      case 'metrics':
        this.#events.metrics(message.snapshot)
        return
      case 'response':
        this.#client.handleResponse(message)
        return
      case 'request': {
        try {
          const response = await this.#events.request(message.request)
          this.#send({ type: 'response', id: message.id, response })
        } catch {
          // No response: the other side reports its timeout, and this process continues.
        }
        return
      }
    }
  }
}
