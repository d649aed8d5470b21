import { type CheckResult, type Clock, systemClock } from '../lifecycle/index.ts'
import type { RuntimeSettings } from '../runtime-settings/runtime-settings.ts'
import type { Log } from '../telemetry/log/log.ts'
import { logReport, logRollOutcome } from './group-log.ts'
import { ListenerOrder } from './listener-order.ts'
import {
  type CheckResults,
  heapSnapshotTimeoutMs,
  type MetricsSnapshot,
  type PrimaryRequest,
  type PrimaryResponses,
  type QueueCall,
  type QueueCallResponse,
  type SteerRequest,
} from './messages.ts'
import { MetricsAggregator } from './metrics-aggregator.ts'
import {
  type GroupCommand,
  type GroupEvent,
  type GroupOptions,
  isOrderlyExit,
  type ProcessExit,
  ProcessGroup,
  type ProcessId,
  type ProcessState,
  type RollOutcome,
  type SpawnReason,
} from './process-group.ts'
import { WorkerHandle } from './worker-handle.ts'

/** Times that no operator needs to change, in ms. */
const groupTimes = {
  killTimeoutMs: 5_000,
  stableAfterMs: 10_000,
  firstBackoffMs: 100,
  maxBackoffMs: 10_000,
} as const
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
  /** How long a process may take from SIGTERM to its exit during a rolling restart, in ms. Default 60,000. */
  readonly stopTimeoutMs?: number
  /** How long a process may leave heartbeats unanswered until it is killed and replaced, in ms. Default 15,000. */
  readonly heartbeatTimeoutMs?: number
  readonly clock?: Clock
}

/**
 * Runs several worker processes on one port: starts them, replaces those that die or hang, replaces all of them without
 * losing a connection (see lifecycle/reuseport.ts), and adds up their metrics.
 *
 * `ProcessGroup` makes the decisions; this class executes them.
 */
export class Supervisor {
  readonly #options: SupervisorOptions
  readonly #clock: Clock
  readonly #group: ProcessGroup
  readonly #workers = new Map<ProcessId, WorkerHandle>()
  readonly #listeners = new ListenerOrder<WorkerHandle>()
  readonly #metrics = new MetricsAggregator<WorkerHandle>()
  readonly #started = Promise.withResolvers<void>()
  /** Exits of all processes since the beginning of the shutdown. */
  readonly #exits: Promise<ProcessExit>[] = []
  readonly #events: GroupEvent[] = []
  #isHandling = false
  #timer = new AbortController()
  /** The callers that wait for the rolling restart in progress, and for the next one. */
  #rolling: ((outcome: RollOutcome) => void)[] = []
  #requested: ((outcome: RollOutcome) => void)[] = []
  #env: Readonly<Record<string, string | undefined>>
  #port = 0
  #excluded: WorkerHandle | undefined

  constructor(options: SupervisorOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#env = options.env
    this.#group = new ProcessGroup(groupOptions(options), this.#clock.now())
    options.settings.subscribe(async () => {
      const listening = this.#inState('running', 'retiring', 'leaving', 'ending')
      await Promise.all(listening.map((worker) => this.#applySettings(worker)))
    })
  }

  /**
   * Starts the worker processes, one after the other. Everything else can be called before that, too. Resolves when all
   * have started, or when `drain` was called.
   *
   * @throws WorkerStartError when they cannot start; then those that have started drain
   */
  async start(): Promise<void> {
    this.#dispatch({ type: 'start' })
    await this.#started.promise
    if (this.#group.phase === 'stopping') return
    this.#options.log.info('supervising', {
      processes: this.#options.count,
      port: this.port,
      pids: this.#inState('running').map(({ pid }) => pid),
    })
  }

  /** The port that the processes share; 0 until the first one listens. */
  get port(): number {
    return this.#port
  }

  /**
   * The metrics of all processes, in the text format.
   *
   * @param own the metrics of this process itself
   */
  async scrape(own: MetricsSnapshot): Promise<string> {
    await this.#refreshMetrics([...this.#workers.values()])
    return await this.#metrics.render(own)
  }

  /**
   * The dependency checks of all processes. A check fails when it fails in one of them. The check `processes` fails
   * when one of them is missing or does not respond. It is required when none does.
   */
  async checks(): Promise<CheckResults> {
    const results = await Promise.all(
      this.#inState('running').map((worker) => worker.request({ kind: 'checks' }, checksTimeoutMs)),
    )
    return mergeChecks(
      results.filter((one) => one !== undefined),
      this.#options.count,
    )
  }

  /**
   * Lets a process write a heap snapshot into a file.
   *
   * @param pid default: any process
   * @returns the pid of the process; undefined when no process has this pid
   * @throws when the process could not write it
   */
  async writeHeapSnapshot(path: string, pid?: number): Promise<number | undefined> {
    const worker =
      pid === undefined ? this.#findResponsive() : [...this.#workers.values()].find((one) => one.pid === pid)
    if (worker === undefined) return undefined
    const problem = await worker.request({ kind: 'heap-snapshot', path }, heapSnapshotTimeoutMs)
    if (problem !== null) throw new Error(`no heap snapshot: ${problem ?? 'no response'}`)
    return worker.pid
  }

  /** Calls the task queue in one of the processes. @returns undefined when none responds */
  async callQueue(call: QueueCall): Promise<QueueCallResponse | undefined> {
    return await this.#findResponsive()?.request({ kind: 'queue', call }, queueTimeoutMs)
  }

  /**
   * Replaces every process, one after the other. Each new process listens before the old one drains. A call during a
   * rolling restart queues exactly one more, for any number of calls.
   *
   * @returns how the rolling restart ended that began after this call
   */
  rollingRestart(): Promise<RollOutcome> {
    const { promise, resolve } = Promise.withResolvers<RollOutcome>()
    this.#requested.push(resolve)
    this.#dispatch({ type: 'roll' })
    return promise
  }

  /** Lets every process drain and starts no new ones. */
  drain(): void {
    for (const { exited } of this.#workers.values()) this.#exits.push(exited)
    this.#dispatch({ type: 'stop' })
    this.#started.resolve()
  }

  /**
   * Resolves when all processes have exited.
   *
   * @throws when one of them exited with a code other than 0
   */
  async exited(): Promise<void> {
    const exits = await Promise.all(this.#exits)
    const failed = exits.find((exit) => !isOrderlyExit(exit))
    if (failed !== undefined) throw new Error(`a worker process exited with ${failed.code}`)
  }

  /** Kills the remaining processes. @returns a name for each of them */
  kill(): string[] {
    const remaining = [...this.#workers.values()]
    for (const worker of remaining) worker.kill()
    return remaining.map(({ pid }) => `worker process ${pid}`)
  }

  /** Passes an event to the group and executes the group's commands. Events that occur meanwhile are queued. */
  #dispatch(event: GroupEvent): void {
    this.#events.push(event)
    if (this.#isHandling) return
    this.#isHandling = true
    try {
      for (let next = this.#events.shift(); next !== undefined; next = this.#events.shift())
        for (const command of this.#group.handle(next, this.#clock.now())) this.#execute(command)
    } finally {
      this.#isHandling = false
    }
    this.#armTimer()
  }

  #armTimer(): void {
    this.#timer.abort()
    const { wakeAt } = this.#group
    if (wakeAt === undefined) return
    const timer = new AbortController()
    this.#timer = timer
    const waitMs = Math.max(0, wakeAt - this.#clock.now())
    void this.#clock.sleep(waitMs, timer.signal).then(() => {
      if (!timer.signal.aborted) this.#dispatch({ type: 'tick' })
    })
  }

  #execute(command: GroupCommand): void {
    const { log, count } = this.#options
    switch (command.type) {
      case 'spawn':
        this.#spawn(command)
        break
      case 'heartbeat':
        this.#workers.get(command.id)?.sendHeartbeat(this.#group.running, count)
        break
      case 'retire':
        void this.#retire(command.id)
        break
      case 'terminate':
        this.#workers.get(command.id)?.terminate()
        break
      case 'kill':
        this.#kill(command)
        break
      case 'reset-steering':
        this.#resetSteering()
        break
      case 'started':
        this.#started.resolve()
        break
      case 'start-failed':
        this.#failStart(command.exit)
        break
      case 'roll-began':
        this.#rolling = this.#requested
        this.#requested = []
        log.info('rolling restart started', { processes: count })
        break
      case 'roll-ended':
        this.#endRoll(command.outcome)
        break
      case 'report':
        logReport(log, command.report, (id) => this.#workers.get(id)?.pid)
        break
    }
  }

  #spawn({ id, number, reason }: Extract<GroupCommand, { type: 'spawn' }>): void {
    const { command, log } = this.#options
    let worker: WorkerHandle
    try {
      worker = new WorkerHandle({
        command,
        number,
        env: this.#env,
        events: {
          listening: (port) => this.#handleListening(id, port, reason),
          draining: () => this.#dispatch({ type: 'draining', id }),
          answered: () => this.#dispatch({ type: 'answered', id }),
          busy: (forMs) =>
            this.#dispatch({ type: 'busy', id, forMs: Math.min(forMs, heapSnapshotTimeoutMs) }),
          metrics: (snapshot) => this.#metrics.update(worker, snapshot),
          request: (request) => this.#handleRequest(worker, request),
          exited: (exit) => this.#handleExit(id, worker, exit),
        },
      })
    } catch (error) {
      // For example, a limit of processes or of memory, which may have room later.
      log.error('worker process could not be created', { worker_process: number, error })
      this.#dispatch({ type: 'exited', id, exit: { code: 1 } })
      return
    }
    this.#workers.set(id, worker)
  }

  #handleListening(id: ProcessId, port: number, reason: SpawnReason): void {
    const worker = this.#workers.get(id)
    if (worker === undefined) return
    this.#port = port
    // With PORT=0 the first process takes a free port, which the others share.
    this.#env = { ...this.#env, PORT: String(port) }
    this.#listeners.add(worker)
    this.#refreshSteering()
    void this.#applySettings(worker)
    const { pid, number } = worker
    if (reason === 'replacement')
      this.#options.log.info('worker process started', { worker_pid: pid, worker_process: number })
    this.#dispatch({ type: 'listening', id })
  }

  #handleExit(id: ProcessId, worker: WorkerHandle, exit: ProcessExit): void {
    this.#listeners.remove(worker)
    if (this.#excluded === worker) this.#excluded = undefined
    else this.#refreshSteering()
    this.#dispatch({ type: 'exited', id, exit })
    this.#workers.delete(id)
    this.#metrics.addExited(worker).catch((error: unknown) => {
      this.#options.log.error('metrics of an exited process are lost', { worker_pid: worker.pid, error })
    })
  }

  /** Keeps new connections away from a process, then ends it. */
  async #retire(id: ProcessId): Promise<void> {
    const worker = this.#workers.get(id)
    if (worker === undefined) return
    this.#excluded = worker
    await this.#exclude(worker)
    worker.terminate()
  }

  #kill({ id, cause }: Extract<GroupCommand, { type: 'kill' }>): void {
    const worker = this.#workers.get(id)
    if (worker === undefined) return
    this.#options.log.error('worker process killed', {
      worker_pid: worker.pid,
      worker_process: worker.number,
      cause,
    })
    worker.kill()
  }

  #failStart(exit: ProcessExit | undefined): void {
    for (const { exited } of this.#workers.values()) this.#exits.push(exited)
    this.#started.reject(new WorkerStartError(exit))
  }

  #endRoll(outcome: RollOutcome): void {
    logRollOutcome(this.#options.log, outcome)
    for (const resolve of this.#rolling.splice(0)) resolve(outcome)
    // A request during a shutdown never begins.
    if (this.#group.phase === 'stopping') for (const resolve of this.#requested.splice(0)) resolve(outcome)
  }

  async #exclude(worker: WorkerHandle): Promise<void> {
    const index = this.#listeners.indexOf(worker)
    if (index === -1) return
    await this.#steer(worker, { kind: 'exclude-listener', index, size: this.#listeners.size })
  }

  /** A listener that comes or goes may change the position of the one that is kept out. */
  #refreshSteering(): void {
    if (this.#excluded !== undefined) void this.#exclude(this.#excluded)
  }

  #resetSteering(): void {
    this.#excluded = undefined
    void this.#steer(undefined, { kind: 'reset-steering' })
  }

  /** Steers new connections through a process other than the one that is kept out. */
  async #steer(excluded: WorkerHandle | undefined, request: SteerRequest): Promise<void> {
    const worker = this.#findResponsive(excluded)
    if (worker === undefined) return
    const problem = await worker.request(request, steerTimeoutMs)
    if (problem === null || this.#group.phase === 'stopping') return
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
        this.#metrics.update(worker, request.snapshot)
        await this.#refreshMetrics([...this.#workers.values()].filter((one) => one !== worker))
        return await this.#metrics.render()
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
        if (snapshot !== undefined) this.#metrics.update(worker, snapshot)
      }),
    )
  }

  #inState(...names: ProcessState['name'][]): WorkerHandle[] {
    return this.#group.processes.flatMap(({ id, state }) => {
      const worker = names.includes(state) ? this.#workers.get(id) : undefined
      return worker === undefined ? [] : [worker]
    })
  }

  /** A running process that answers; one that does not when there is no other. */
  #findResponsive(except?: WorkerHandle): WorkerHandle | undefined {
    const running = this.#group.processes.filter(
      ({ id, state }) => state === 'running' && this.#workers.get(id) !== except,
    )
    const found = running.find(({ answers }) => answers) ?? running[0]
    return found && this.#workers.get(found.id)
  }
}

function groupOptions(options: SupervisorOptions): GroupOptions {
  const { count, startTimeoutMs = 30_000, stopTimeoutMs = 60_000, heartbeatTimeoutMs = 15_000 } = options
  return {
    ...groupTimes,
    count,
    startTimeoutMs,
    stopTimeoutMs,
    heartbeatTimeoutMs,
    heartbeatIntervalMs: Math.min(1_000, Math.ceil(heartbeatTimeoutMs / 3)),
  }
}

/** Combines the checks of several processes: a check that fails in one of them fails. */
function mergeChecks(all: readonly CheckResults[], count: number): CheckResults {
  const merged: Record<string, CheckResult> = {
    processes: { status: all.length >= count ? 'ok' : 'failing', required: all.length === 0 },
  }
  for (const [name, result] of all.flatMap((results) => Object.entries(results)))
    if (merged[name]?.status !== 'failing') merged[name] = result
  return merged
}

/** The worker processes could not start. */
export class WorkerStartError extends Error {
  override readonly name = 'WorkerStartError'

  /** @param exit how the process ended; undefined when it did not listen in time */
  constructor(readonly exit: ProcessExit | undefined) {
    super(
      exit === undefined
        ? 'a worker process did not listen in time'
        : `a worker process exited with ${exit.code} before it listened`,
    )
  }
}
