import type { CheckResult } from '../lifecycle/index.ts'
import type { RuntimeSettings } from '../runtime-settings/runtime-settings.ts'
import type { Log } from '../telemetry/log/log.ts'
import { ListenerOrder } from './listener-order.ts'
import type {
  CheckResults,
  MetricsSnapshot,
  PrimaryRequest,
  PrimaryResponses,
  QueueCall,
  QueueCallResponse,
  SteerRequest,
} from './messages.ts'
import { MetricsAggregator } from './metrics-aggregator.ts'
import { Mutex } from './mutex.ts'
import { WorkerHandle } from './worker-handle.ts'

/** Delays before the restart of a process that keeps exiting: doubled each time, in ms. */
const firstBackoffMs = 100
const maxBackoffMs = 10_000
/** Age of a process whose exit is not a failed start, in ms. */
const stableAfterMs = 10_000
/** Timeout of a change of the steering, in ms. */
const steerTimeoutMs = 1_000
/** How long a scrape waits for the metrics of the other processes, in ms. Then it uses their latest known ones. */
const metricsTimeoutMs = 500
/** Timeout of the dependency checks of a process, in ms: below the timeout of a readiness probe (Kubernetes: 1 s). */
const checksTimeoutMs = 800
/** How long a process may take to apply changed settings, in ms. */
const settingsTimeoutMs = 1_000
/** Timeout of a call of the task queue, in ms. Retrying very many tasks takes a while. */
const queueTimeoutMs = 60_000
/** Timeout of a heap snapshot, in ms. Writing a large heap takes minutes. */
const heapSnapshotTimeoutMs = 300_000

export interface SupervisorOptions {
  /** Number of worker processes that share the port. */
  readonly count: number
  /** The command of one process, without the arguments that make it a worker process. */
  readonly command: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  readonly log: Log
  /** The settings of all worker processes, also of those that start later. */
  readonly settings: RuntimeSettings
  /** How long a process may take from its start until it listens, in ms. Default 30,000. */
  readonly startTimeoutMs?: number
}

/**
 * Runs several worker processes on one port: starts them, restarts those that exit, replaces them without losing a
 * connection (see lifecycle/reuseport.ts), and adds up their metrics.
 *
 * Restarts and rolling restarts run one at a time, because the kernel's order of listeners must stay known.
 */
export class Supervisor {
  readonly #options: SupervisorOptions
  readonly #workers = new Set<WorkerHandle>()
  readonly #listeners = new ListenerOrder<WorkerHandle>()
  readonly #metrics = new MetricsAggregator()
  readonly #mutex = new Mutex()
  #env: Readonly<Record<string, string | undefined>>
  #port = 0
  #stopping = false
  #failedStarts = 0

  private constructor(options: SupervisorOptions) {
    this.#options = options
    this.#env = options.env
    options.settings.subscribe(async () => {
      const listening = [...this.#workers].filter(({ state }) => state === 'running' || state === 'retiring')
      await Promise.all(listening.map((worker) => this.#applySettings(worker)))
    })
  }

  /**
   * Starts the worker processes, one after the other.
   *
   * @throws WorkerStartError when one of them cannot start; then the others are ended
   */
  static async start(options: SupervisorOptions): Promise<Supervisor> {
    const supervisor = new Supervisor(options)
    try {
      for (let i = 0; i < options.count; i++) await supervisor.#startWorker()
    } catch (error) {
      supervisor.drain()
      throw error
    }
    options.log.info('supervising', {
      processes: options.count,
      port: supervisor.port,
      pids: [...supervisor.#workers].map(({ pid }) => pid),
    })
    return supervisor
  }

  get port(): number {
    return this.#port
  }

  /**
   * The metrics of all processes, in the text format.
   *
   * @param own the metrics of this process itself
   */
  async scrape(own: MetricsSnapshot): Promise<string> {
    await this.#refreshMetrics([...this.#workers])
    return this.#renderMetrics(own)
  }

  /**
   * The dependency checks of all processes. A check fails when it fails in one of them. The check `processes` fails
   * when no process responds.
   */
  async checks(): Promise<CheckResults> {
    const workers = [...this.#workers].filter(({ isRetiring }) => !isRetiring)
    const results = await Promise.all(
      workers.map((worker) => worker.request({ kind: 'checks' }, checksTimeoutMs)),
    )
    return mergeChecks(results.filter((one) => one !== undefined))
  }

  /**
   * Lets a process write a heap snapshot into a file.
   *
   * @param pid default: any process
   * @returns the pid of the process; undefined when no process has this pid
   * @throws when the process could not write it
   */
  async writeHeapSnapshot(path: string, pid?: number): Promise<number | undefined> {
    const worker = [...this.#workers].find((one) => pid === undefined || one.pid === pid)
    if (worker === undefined) return undefined
    const problem = await worker.request({ kind: 'heap-snapshot', path }, heapSnapshotTimeoutMs)
    if (problem !== null) throw new Error(`no heap snapshot: ${problem ?? 'no response'}`)
    return worker.pid
  }

  /** Calls the task queue in one of the processes. @returns undefined when none responds */
  async callQueue(call: QueueCall): Promise<QueueCallResponse | undefined> {
    const worker = [...this.#workers].find(({ state }) => state === 'running')
    return await worker?.request({ kind: 'queue', call }, queueTimeoutMs)
  }

  /** Replaces every process, one after the other. Each new process listens before the old one drains. */
  rollingRestart(): Promise<void> {
    return this.#mutex.runExclusive(async () => {
      const { log } = this.#options
      const startedAt = performance.now()
      for (const worker of [...this.#workers]) {
        if (this.#stopping) return
        try {
          await this.#replaceWorker(worker)
        } catch (error) {
          log.error('rolling restart aborted: new process failed to start', { error })
          return
        }
      }
      const durationMs = Math.round(performance.now() - startedAt)
      log.info('rolling restart finished', { processes: this.#workers.size, duration_ms: durationMs })
    })
  }

  /** Lets every process drain, and starts no more. */
  drain(): void {
    this.#stopping = true
    for (const worker of this.#workers) worker.terminate()
  }

  /**
   * Resolves when all processes have exited.
   *
   * @throws when one of them exited with a code other than 0
   */
  async exited(): Promise<void> {
    const codes = await Promise.all([...this.#workers].map((worker) => worker.exited))
    const failed = codes.find((code) => code !== 0)
    if (failed !== undefined) throw new Error(`a worker process exited with ${failed}`)
  }

  /** Kills the remaining processes. @returns a name for each of them */
  kill(): string[] {
    const remaining = [...this.#workers]
    for (const worker of remaining) worker.kill()
    return remaining.map(({ pid }) => `worker process ${pid}`)
  }

  async #startWorker(): Promise<WorkerHandle> {
    const { command, startTimeoutMs = 30_000 } = this.#options
    const worker = new WorkerHandle({
      command,
      number: this.#freeNumber(),
      env: this.#env,
      onRequest: (from, request) => this.#handleRequest(from, request),
      onExit: (exited, exitCode) => this.#handleExit(exited, exitCode),
    })
    this.#workers.add(worker)
    this.#port = await worker.waitUntilListening(startTimeoutMs)
    this.#listeners.add(worker)
    await this.#applySettings(worker)
    // With PORT=0 the first process takes a free port, which the others share.
    this.#env = { ...this.#env, PORT: String(this.#port) }
    return worker
  }

  /** The lowest number that no process has. */
  #freeNumber(): number {
    const taken = new Set([...this.#workers].map(({ number }) => number))
    let number = 1
    while (taken.has(number)) number++
    return number
  }

  async #handleExit(worker: WorkerHandle, exitCode: number): Promise<void> {
    const { log, count } = this.#options
    this.#listeners.remove(worker)
    this.#workers.delete(worker)
    await this.#metrics.addExited(worker.snapshot)
    if (worker.isRetiring || this.#stopping || this.#listeners.size >= count) return
    log.error('worker process exited, restarting', {
      worker_pid: worker.pid,
      worker_process: worker.number,
      exit_code: exitCode,
    })
    this.#failedStarts = worker.ageMs > stableAfterMs ? 0 : this.#failedStarts + 1
    void this.#restartWorker(this.#backoffMs())
  }

  /** The first restart is immediate. */
  #backoffMs(): number {
    if (this.#failedStarts <= 1) return 0
    return Math.min(maxBackoffMs, firstBackoffMs * 2 ** (this.#failedStarts - 2))
  }

  async #restartWorker(delayMs: number): Promise<void> {
    await Bun.sleep(delayMs)
    await this.#mutex.runExclusive(async () => {
      if (this.#stopping || this.#listeners.size >= this.#options.count) return
      try {
        const { pid, number } = await this.#startWorker()
        this.#options.log.info('worker process started', { worker_pid: pid, worker_process: number })
      } catch {
        // A process that fails to start has exited, and `#handleExit` tries again.
      }
    })
  }

  async #replaceWorker(old: WorkerHandle): Promise<void> {
    await this.#startWorker()
    if (old.state === 'exited') return
    old.retire()
    const index = this.#listeners.indexOf(old)
    await this.#steer(old, { kind: 'exclude-listener', index, size: this.#listeners.size })
    old.terminate()
    await old.exited
    await this.#steer(old, { kind: 'reset-steering' })
  }

  /** Steers new connections through a process other than the retiring one. */
  async #steer(retiring: WorkerHandle, request: SteerRequest): Promise<void> {
    const worker = this.#listeners.findOther(retiring)
    if (worker === undefined) return
    const problem = await worker.request(request, steerTimeoutMs)
    if (problem === null) return
    this.#options.log.warn(
      'could not steer new connections, some may be reset (net.ipv4.tcp_migrate_req=1 helps)',
      { problem: problem ?? 'no response' },
    )
  }

  async #handleRequest(
    worker: WorkerHandle,
    request: PrimaryRequest,
  ): Promise<PrimaryResponses[PrimaryRequest['kind']]> {
    switch (request.kind) {
      case 'scrape':
        worker.snapshot = request.snapshot
        await this.#refreshMetrics([...this.#workers].filter((one) => one !== worker))
        return await this.#renderMetrics()
      case 'change-settings':
        await this.#options.settings.change(request.change, request.by)
        return null
    }
  }

  async #applySettings(worker: WorkerHandle): Promise<void> {
    const { log, settings } = this.#options
    const request = { kind: 'apply-settings', settings: settings.current } as const
    if ((await worker.request(request, settingsTimeoutMs)) === undefined)
      log.warn('worker process did not apply the settings', { worker_pid: worker.pid })
  }

  async #refreshMetrics(workers: readonly WorkerHandle[]): Promise<void> {
    await Promise.all(
      workers.map(async (worker) => {
        const snapshot = await worker.request({ kind: 'metrics' }, metricsTimeoutMs)
        if (snapshot !== undefined) worker.snapshot = snapshot
      }),
    )
  }

  #renderMetrics(own: MetricsSnapshot = []): Promise<string> {
    return this.#metrics.render([own, ...[...this.#workers].map(({ snapshot }) => snapshot)])
  }
}

/** Combines the checks of several processes: a check that fails in one of them fails. */
function mergeChecks(all: readonly CheckResults[]): CheckResults {
  const merged: Record<string, CheckResult> = {
    processes: { status: all.length > 0 ? 'ok' : 'failing', required: true },
  }
  for (const [name, result] of all.flatMap((results) => Object.entries(results)))
    if (merged[name]?.status !== 'failing') merged[name] = result
  return merged
}
