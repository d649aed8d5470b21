import {
  type GroupCommand,
  type GroupEvent,
  type GroupOptions,
  type GroupReport,
  type KillCause,
  ProcessGroup,
  type ProcessId,
  type RollOutcome,
} from '../../src/cluster/process-group.ts'

/** The behavior of a simulated process. Times are in ms. */
export interface Behavior {
  /** Time from its start until it listens. */
  startMs: number
  /** Time from SIGTERM to its exit. */
  drainMs: number
  /** Exits with this code instead of listening. */
  failsWith?: number
  /** Exits with this code after SIGTERM. Default 0. */
  exitCode?: number
  /** Suspended: answers nothing and ignores SIGTERM. */
  hung?: boolean
  /** Ignores even SIGKILL. */
  unkillable?: boolean
}

export const groupOptions: GroupOptions = {
  count: 2,
  startTimeoutMs: 30_000,
  stopTimeoutMs: 56_000,
  killTimeoutMs: 5_000,
  heartbeatIntervalMs: 1_000,
  heartbeatTimeoutMs: 15_000,
  stableAfterMs: 10_000,
  firstBackoffMs: 100,
  maxBackoffMs: 10_000,
}

interface SimulatedProcess {
  readonly id: ProcessId
  readonly startedAt: number
  readonly behavior: Behavior
}

/** A process group with simulated processes. Time passes only in `advance`. */
export class SimulatedProcesses {
  readonly group: ProcessGroup
  readonly options: GroupOptions
  readonly alive = new Map<ProcessId, SimulatedProcess>()
  readonly outcomes: RollOutcome[] = []
  readonly reports: GroupReport[] = []
  readonly kills: { readonly id: ProcessId; readonly cause: KillCause; readonly at: number }[] = []
  /** The fewest running processes since the first ones have started. */
  fewest = Number.POSITIVE_INFINITY
  /** The most processes that were starting, and retiring, at once. */
  mostStarting = 0
  mostRetiring = 0
  started = false
  startFailed = false
  /** Steering commands that were not revoked. */
  excluded = 0
  now = 0
  readonly #behaviors: Behavior[]
  readonly #agenda: { readonly at: number; readonly run: () => void }[] = []

  /** @param behaviors of the processes in the order of their starts; later ones start in 100 ms and drain in 200 ms */
  constructor(behaviors: readonly Partial<Behavior>[] = [], options: Partial<GroupOptions> = {}) {
    this.#behaviors = behaviors.map((one) => ({ startMs: 100, drainMs: 200, ...one }))
    this.options = { ...groupOptions, ...options }
    this.group = new ProcessGroup(this.options, 0)
    this.dispatch({ type: 'start' })
  }

  dispatch(event: GroupEvent): void {
    for (const command of this.group.handle(event, this.now)) this.#execute(command)
    const count = (name: string) => this.group.processes.filter(({ state }) => state === name).length
    this.mostStarting = Math.max(this.mostStarting, count('starting'))
    this.mostRetiring = Math.max(this.mostRetiring, count('retiring'))
    if (this.started) this.fewest = Math.min(this.fewest, this.group.running)
  }

  /** Advances the time. */
  advance(ms: number): void {
    const end = this.now + ms
    for (;;) {
      this.#agenda.sort((a, b) => a.at - b.at)
      const next = Math.min(this.#agenda[0]?.at ?? Number.POSITIVE_INFINITY, this.group.wakeAt ?? end + 1)
      if (next > end) break
      this.now = Math.max(this.now, next)
      if (this.#agenda[0]?.at === next) this.#agenda.shift()?.run()
      else this.dispatch({ type: 'tick' })
    }
    this.now = end
  }

  /** Advances the time while the supervisor is suspended, but not its processes. */
  suspendSupervisor(ms: number): void {
    this.now += ms
    this.dispatch({ type: 'tick' })
  }

  /** kill -9 from outside. */
  kill(id: ProcessId): void {
    if (this.alive.delete(id)) this.dispatch({ type: 'exited', id, exit: { code: 137, signal: 'SIGKILL' } })
  }

  /** Lets a process drain by itself and exit with 1. */
  leave(id: ProcessId): void {
    this.dispatch({ type: 'draining', id })
    this.#later(this.behavior(id).drainMs, id, () => this.#exit(id, 1))
  }

  /** The ids of the processes that run. */
  get running(): ProcessId[] {
    return this.group.processes.flatMap(({ id, state }) => (state === 'running' ? [id] : []))
  }

  behavior(id: ProcessId): Behavior {
    const process = this.alive.get(id)
    if (process === undefined) throw new Error(`process ${id} has exited`)
    return process.behavior
  }

  #later(ms: number, id: ProcessId, run: () => void): void {
    this.#agenda.push({ at: this.now + ms, run: () => this.alive.has(id) && run() })
  }

  #exit(id: ProcessId, code: number): void {
    this.alive.delete(id)
    this.dispatch({ type: 'exited', id, exit: { code } })
  }

  #spawn(id: ProcessId): void {
    const behavior = this.#behaviors.shift() ?? { startMs: 100, drainMs: 200 }
    this.alive.set(id, { id, startedAt: this.now, behavior })
    this.#later(behavior.startMs, id, () => {
      if (behavior.hung) return
      if (behavior.failsWith === undefined) this.dispatch({ type: 'listening', id })
      else this.#exit(id, behavior.failsWith)
    })
  }

  #execute(command: GroupCommand): void {
    switch (command.type) {
      case 'spawn':
        this.#spawn(command.id)
        break
      case 'heartbeat':
        this.#later(1, command.id, () => {
          if (!this.behavior(command.id).hung) this.dispatch({ type: 'answered', id: command.id })
        })
        break
      case 'retire':
      case 'terminate': {
        if (command.type === 'retire') this.excluded++
        const { id } = command
        const behavior = this.behavior(id)
        if (behavior.hung) break
        this.#later(behavior.drainMs, id, () => this.#exit(id, behavior.exitCode ?? 0))
        // What a process does when a drain begins.
        this.#later(1, id, () => this.dispatch({ type: 'draining', id }))
        break
      }
      case 'kill':
        this.kills.push({ id: command.id, cause: command.cause, at: this.now })
        if (!this.behavior(command.id).unkillable) this.#later(1, command.id, () => this.kill(command.id))
        break
      case 'reset-steering':
        this.excluded--
        break
      case 'started':
        this.started = true
        break
      case 'start-failed':
        this.startFailed = true
        break
      case 'roll-began':
        break
      case 'roll-ended':
        this.outcomes.push(command.outcome)
        break
      case 'report':
        this.reports.push(command.report)
        break
    }
  }
}
