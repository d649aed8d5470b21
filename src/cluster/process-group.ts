/**
 * The decisions of a supervisor, without any I/O: it takes events of a group of processes and returns commands. Time is
 * a parameter, and every waiting state has a deadline.
 *
 * The goal is always the same: `count` running processes, all of them up to date. So an exit has the same answer at
 * every moment, and an aborted rolling restart has nothing to undo.
 */
export class ProcessGroup {
  readonly #options: GroupOptions
  readonly #processes = new Map<ProcessId, GroupProcess>()
  #phase: GroupPhase = { name: 'starting', failedStarts: 0 }
  /** A rolling restart was requested that has not begun. */
  #rollRequested = false
  /** Consecutive failures of processes, for the delay before the next start. */
  #failures = 0
  #notBefore = 0
  #nextHeartbeatAt: number
  #lastId = 0
  #commands: GroupCommand[] = []

  constructor(options: GroupOptions, now: number) {
    this.#options = options
    this.#nextHeartbeatAt = now + options.heartbeatIntervalMs
  }

  get phase(): GroupPhase['name'] {
    return this.#phase.name
  }

  /** The processes that have not exited, the oldest first. */
  get processes(): readonly ProcessView[] {
    return [...this.#processes.values()].map(({ id, number, state, missed }) => ({
      id,
      number,
      state: state.name,
      answers: missed === 0,
    }))
  }

  /** Processes that listen and are not about to end. */
  get running(): number {
    return this.#inState('running').length
  }

  /** When the next `tick` is due; undefined when no state has a deadline. */
  get wakeAt(): number | undefined {
    if (this.#processes.size === 0 && this.#isEnding) return undefined
    const deadlines = [...this.#processes.values()].flatMap(({ state }) =>
      'deadline' in state ? [state.deadline] : [],
    )
    if (this.#needsStart()) deadlines.push(this.#notBefore)
    return Math.min(this.#nextHeartbeatAt, ...deadlines)
  }

  /** Handles an event. @returns the commands to execute now, in this order */
  handle(event: GroupEvent, now: number): readonly GroupCommand[] {
    this.#commands = []
    this.#apply(event, now)
    this.#reconcile(now)
    return this.#commands
  }

  get #isEnding(): boolean {
    return this.#phase.name === 'stopping'
  }

  #apply(event: GroupEvent, now: number): void {
    switch (event.type) {
      case 'start':
        return
      case 'roll':
        this.#requestRoll()
        return
      case 'stop':
        this.#stop()
        return
      case 'tick':
        this.#tick(now)
        return
      default: {
        const process = this.#processes.get(event.id)
        if (process !== undefined) this.#applyToProcess(process, event, now)
      }
    }
  }

  #applyToProcess(process: GroupProcess, event: ProcessEvent, now: number): void {
    switch (event.type) {
      case 'listening':
        if (process.state.name === 'starting') process.state = { name: 'running' }
        return
      case 'answered':
        process.missed = 0
        process.awaited = false
        return
      case 'busy':
        process.excusedUntil = now + event.forMs
        process.missed = 0
        return
      case 'draining':
        this.#handleLeaving(process, now)
        return
      case 'exited':
        this.#processes.delete(process.id)
        this.#handleExit(process, event.exit, now)
        return
    }
  }

  #handleExit(process: GroupProcess, exit: ProcessExit, now: number): void {
    const { id, number, state } = process
    if (state.name === 'retiring' || state.name === 'ending' || state.name === 'leaving') {
      if (state.name === 'retiring') this.#push({ type: 'reset-steering' })
      if (isOrderlyExit(exit)) return
      // One that left by itself is counted as died.
      if (this.#phase.name === 'rolling' && state.name === 'retiring') this.#phase.outcome.failedExits++
      this.#report({ name: 'failed-exit', id, number, exit })
      return
    }
    // The group has answered the kill already, and not waited for the exit.
    if (state.name === 'killed') {
      if (process.wasRetiring) this.#push({ type: 'reset-steering' })
      return
    }
    if (state.name === 'starting') {
      this.#handleFailedStart(process, exit, now)
      return
    }
    this.#handleDeath(process, now)
    this.#report({ name: 'died', id, number, exit, delayMs: Math.max(0, this.#notBefore - now) })
  }

  /** Its place is taken at once: after its drain window it accepts nothing more, and may still work for long. */
  #handleLeaving(process: GroupProcess, now: number): void {
    const { id, number, state } = process
    if (state.name !== 'running') return
    process.state = { name: 'leaving', deadline: now + this.#options.stopTimeoutMs }
    this.#handleDeath(process, now)
    this.#report({ name: 'leaving', id, number, delayMs: Math.max(0, this.#notBefore - now) })
  }

  /** A process that listened has died, leaves, or is about to be killed because it hangs. */
  #handleDeath(process: GroupProcess, now: number): void {
    const isStable = now - process.startedAt > this.#options.stableAfterMs
    this.#delayNextStart(isStable ? 0 : this.#failures + 1, now)
    if (this.#phase.name !== 'rolling') return
    const { outcome } = this.#phase
    outcome.died++
    if (process.isOutdated) return
    // The new version starts and then dies: it must not replace the processes that work.
    if (++outcome.diedNew >= maxAttempts)
      this.#endRoll({ ...outcome, name: 'aborted', reason: 'new processes die' })
  }

  #handleFailedStart({ id, number }: GroupProcess, exit: ProcessExit | undefined, now: number): void {
    this.#delayNextStart(this.#failures + 1, now)
    const delayMs = Math.max(0, this.#notBefore - now)
    const phase = this.#phase
    const attempts = phase.name === 'starting' || phase.name === 'rolling' ? ++phase.failedStarts : 0
    // A process that exits by itself would do so again. One that was killed from outside may start the next time.
    const isFinal = exit?.signal === undefined || attempts >= maxAttempts
    if (phase.name === 'starting' && isFinal) {
      this.#push({ type: 'start-failed', exit })
      this.#stop()
      return
    }
    if (!this.#isEnding) this.#report({ name: 'start-failed', id, number, exit, delayMs })
    if (phase.name === 'rolling' && isFinal)
      this.#endRoll({ ...phase.outcome, name: 'aborted', reason: 'new process failed to start' })
  }

  /** The first restart is immediate. */
  #delayNextStart(failures: number, now: number): void {
    const { firstBackoffMs, maxBackoffMs } = this.#options
    this.#failures = failures
    const delayMs = failures <= 1 ? 0 : Math.min(maxBackoffMs, firstBackoffMs * 2 ** (failures - 2))
    this.#notBefore = now + delayMs
  }

  #requestRoll(): void {
    if (this.#isEnding) {
      this.#push({ type: 'roll-ended', outcome: abortedByShutdown() })
      return
    }
    if (this.#phase.name !== 'steady' && !this.#rollRequested) this.#report({ name: 'roll-postponed' })
    this.#rollRequested = true
  }

  #beginRoll(now: number): void {
    this.#rollRequested = false
    for (const process of this.#processes.values()) process.isOutdated = true
    this.#phase = { name: 'rolling', since: now, failedStarts: 0, outcome: noCounts() }
    this.#push({ type: 'roll-began' })
  }

  #endRoll(outcome: RollOutcome): void {
    for (const process of this.#processes.values()) process.isOutdated = false
    this.#phase = { name: 'steady' }
    this.#push({ type: 'roll-ended', outcome })
  }

  #stop(): void {
    if (this.#isEnding) return
    if (this.#phase.name === 'rolling') this.#endRoll(abortedByShutdown())
    if (this.#rollRequested)
      this.#push({ type: 'roll-began' }, { type: 'roll-ended', outcome: abortedByShutdown() })
    this.#rollRequested = false
    this.#phase = { name: 'stopping' }
    for (const process of this.#processes.values()) {
      const { name } = process.state
      if (name === 'killed' || name === 'retiring' || name === 'leaving') continue
      process.state = { name: 'ending' }
      this.#push({ type: 'terminate', id: process.id })
    }
  }

  #tick(now: number): void {
    this.#forgiveDelay(now)
    for (const process of this.#processes.values())
      if ('deadline' in process.state && process.state.deadline <= now)
        this.#handleDeadline(process, process.state, now)
    if (now < this.#nextHeartbeatAt) return
    this.#nextHeartbeatAt = now + this.#options.heartbeatIntervalMs
    for (const process of this.#processes.values()) this.#checkHeartbeat(process, now)
  }

  /** Time in which this process itself did not run, such as a suspended machine, is no delay of the others. */
  #forgiveDelay(now: number): void {
    const { heartbeatIntervalMs } = this.#options
    const lateMs = now - (this.wakeAt ?? now)
    if (lateMs <= heartbeatIntervalMs) return
    for (const process of this.#processes.values())
      if ('deadline' in process.state)
        process.state = { ...process.state, deadline: process.state.deadline + lateMs }
  }

  #handleDeadline(process: GroupProcess, state: WaitingState, now: number): void {
    switch (state.name) {
      case 'starting':
        this.#kill(process, 'did not listen in time', now)
        this.#handleFailedStart(process, undefined, now)
        return
      case 'retiring':
        if (this.#phase.name === 'rolling') this.#phase.outcome.killed++
        this.#kill(process, 'did not exit in time', now)
        return
      case 'leaving':
        this.#kill(process, 'did not exit in time', now)
        return
      case 'killed':
        // For example, it waits for a disk that does not respond. The group continues without it.
        this.#processes.delete(process.id)
        if (process.wasRetiring) this.#push({ type: 'reset-steering' })
        this.#report({ name: 'unkillable', id: process.id, number: process.number })
        return
    }
  }

  #checkHeartbeat(process: GroupProcess, now: number): void {
    const { state } = process
    if (state.name === 'starting' || state.name === 'killed') return
    const { heartbeatIntervalMs, heartbeatTimeoutMs } = this.#options
    // Counted in intervals of this process, and not in time: it may have been suspended itself.
    if (process.awaited && now >= process.excusedUntil) process.missed++
    if (process.missed * heartbeatIntervalMs < heartbeatTimeoutMs) {
      // One at a time: a process that hangs must not fill its channel.
      if (!process.awaited) this.#push({ type: 'heartbeat', id: process.id })
      process.awaited = true
      return
    }
    this.#kill(process, 'did not answer', now)
    if (state.name === 'running') this.#handleDeath(process, now)
    else if (state.name === 'retiring' && this.#phase.name === 'rolling') this.#phase.outcome.killed++
  }

  #kill(process: GroupProcess, cause: KillCause, now: number): void {
    process.wasRetiring = process.state.name === 'retiring'
    process.state = { name: 'killed', deadline: now + this.#options.killTimeoutMs }
    this.#push({ type: 'kill', id: process.id, cause })
  }

  /** Whether a process is missing, or a rolling restart needs one more. */
  #needsStart(): boolean {
    if (this.#isEnding || this.#inState('starting').length > 0) return false
    const { running } = this
    if (running < this.#options.count) return true
    return running === this.#options.count && this.#nextOutdated() !== undefined
  }

  /** The process that a rolling restart replaces next; undefined while another one still ends. */
  #nextOutdated(): GroupProcess | undefined {
    const outdated = [...this.#processes.values()].filter(({ isOutdated }) => isOutdated)
    if (outdated.some(({ state }) => state.name === 'retiring' || state.name === 'killed')) return undefined
    return outdated.find(({ state }) => state.name === 'running')
  }

  /** Moves toward the goal. Each step needs what the one before has achieved. */
  #reconcile(now: number): void {
    if (this.#isEnding) return
    if (this.#phase.name === 'starting' && this.running >= this.#options.count) {
      this.#phase = { name: 'steady' }
      this.#push({ type: 'started' })
    }
    if (this.#phase.name === 'steady' && this.#rollRequested) this.#beginRoll(now)
    if (this.#needsStart()) {
      if (now >= this.#notBefore) this.#spawn(this.#spawnReason(), now)
      return
    }
    if (this.running > this.#options.count) this.#retireOne(now)
    this.#finishRoll(now)
  }

  #spawnReason(): SpawnReason {
    if (this.#phase.name === 'starting') return 'start'
    return this.running < this.#options.count ? 'replacement' : 'rolling restart'
  }

  #spawn(reason: SpawnReason, now: number): void {
    const id = ++this.#lastId
    const number = this.#freeNumber()
    this.#processes.set(id, {
      id,
      number,
      startedAt: now,
      state: { name: 'starting', deadline: now + this.#options.startTimeoutMs },
      isOutdated: false,
      wasRetiring: false,
      missed: 0,
      awaited: false,
      excusedUntil: 0,
    })
    this.#push({ type: 'spawn', id, number, reason })
  }

  #retireOne(now: number): void {
    // One at a time: the kernel can keep new connections away from only one listener.
    if (this.#inState('retiring').length > 0) return
    // Outside a rolling restart, an aborted one has left one process too many.
    const process = this.#phase.name === 'rolling' ? this.#nextOutdated() : this.#inState('running').at(-1)
    if (process === undefined) return
    process.state = { name: 'retiring', deadline: now + this.#options.stopTimeoutMs }
    this.#push({ type: 'retire', id: process.id })
  }

  #finishRoll(now: number): void {
    if (this.#phase.name !== 'rolling') return
    const all = [...this.#processes.values()]
    if (all.some(({ isOutdated, state }) => isOutdated || state.name === 'starting')) return
    const { outcome, since } = this.#phase
    this.#endRoll({ ...outcome, name: 'finished', processes: this.running, durationMs: now - since })
    this.#reconcile(now)
  }

  /** The lowest number that no process has. */
  #freeNumber(): number {
    const taken = new Set([...this.#processes.values()].map(({ number }) => number))
    let number = 1
    while (taken.has(number)) number++
    return number
  }

  #inState(name: ProcessState['name']): readonly GroupProcess[] {
    return [...this.#processes.values()].filter(({ state }) => state.name === name)
  }

  #report(report: GroupReport): void {
    this.#push({ type: 'report', report })
  }

  #push(...commands: GroupCommand[]): void {
    this.#commands.push(...commands)
  }
}

export interface GroupOptions {
  /** How many processes run. */
  readonly count: number
  /** How long a process may take from its start until it listens, in ms. */
  readonly startTimeoutMs: number
  /** How long a process may take from SIGTERM to its exit during a rolling restart, in ms. */
  readonly stopTimeoutMs: number
  /** How long to wait for the exit after SIGKILL, in ms. */
  readonly killTimeoutMs: number
  readonly heartbeatIntervalMs: number
  /** How long a process may leave heartbeats unanswered, in ms. */
  readonly heartbeatTimeoutMs: number
  /** Age of a process whose death is not a failed start, in ms. */
  readonly stableAfterMs: number
  /** The delay before a start after the second failure in a row, in ms. Each further one doubles it. */
  readonly firstBackoffMs: number
  readonly maxBackoffMs: number
}

/** Failures of new processes after which a start or a rolling restart is aborted. */
const maxAttempts = 3

export type ProcessId = number

/** How a process ended: its exit code, or the signal that killed it. */
export interface ProcessExit {
  readonly code: number
  readonly signal?: string | undefined
}

/** Whether a process has ended as requested. SIGTERM kills one that has not installed its handler yet. */
export function isOrderlyExit({ code, signal }: ProcessExit): boolean {
  return signal === 'SIGTERM' || (code === 0 && signal === undefined)
}

export type ProcessState =
  | { readonly name: 'starting'; readonly deadline: number }
  | { readonly name: 'running' }
  /** Another process has taken its place; it drains. */
  | { readonly name: 'retiring'; readonly deadline: number }
  /** It drains by itself, such as after an uncaught error. */
  | { readonly name: 'leaving'; readonly deadline: number }
  /** SIGKILL is sent; its exit is not known yet. */
  | { readonly name: 'killed'; readonly deadline: number }
  /** It drains because all end. The shutdown of the supervisor has the deadline. */
  | { readonly name: 'ending' }

type WaitingState = Extract<ProcessState, { deadline: number }>

/** A process as others see it. */
export interface ProcessView {
  readonly id: ProcessId
  /** Its number within the group, from 1. */
  readonly number: number
  readonly state: ProcessState['name']
  /** Whether it has answered the last heartbeat. */
  readonly answers: boolean
}

interface GroupProcess {
  readonly id: ProcessId
  readonly number: number
  readonly startedAt: number
  state: ProcessState
  /** Whether the rolling restart in progress replaces it. */
  isOutdated: boolean
  wasRetiring: boolean
  /** Intervals without an answer to the last heartbeat. */
  missed: number
  /** Whether a heartbeat is not answered yet. */
  awaited: boolean
  /** Until when it is busy and answers no heartbeat. */
  excusedUntil: number
}

export type GroupPhase =
  /** Until all processes have started. */
  | { readonly name: 'starting'; failedStarts: number }
  | { readonly name: 'steady' }
  | { readonly name: 'rolling'; readonly since: number; failedStarts: number; readonly outcome: RollCounts }
  | { readonly name: 'stopping' }

/** What went wrong during a rolling restart. */
interface RollCounts {
  /** Processes that died or hung while they served. */
  died: number
  /** Those of them that the rolling restart had started. */
  diedNew: number
  /** Old processes that had to be killed. */
  killed: number
  /** Old processes that exited with a failure, such as aborted requests. */
  failedExits: number
}

const noCounts = (): RollCounts => ({ died: 0, diedNew: 0, killed: 0, failedExits: 0 })

/** How a rolling restart ended. */
export type RollOutcome = Readonly<RollCounts> &
  (
    | { readonly name: 'finished'; readonly processes: number; readonly durationMs: number }
    /** The processes that were not replaced keep running. */
    | {
        readonly name: 'aborted'
        readonly reason: 'new process failed to start' | 'new processes die' | 'shutting down'
      }
  )

const abortedByShutdown = (): RollOutcome => ({ ...noCounts(), name: 'aborted', reason: 'shutting down' })

type ProcessEvent =
  | { readonly type: 'listening'; readonly id: ProcessId }
  | { readonly type: 'exited'; readonly id: ProcessId; readonly exit: ProcessExit }
  /** It has begun to drain. */
  | { readonly type: 'draining'; readonly id: ProcessId }
  /** It has answered a heartbeat. */
  | { readonly type: 'answered'; readonly id: ProcessId }
  /** The process is busy and will not answer for `forMs`; 0 ends that. */
  | { readonly type: 'busy'; readonly id: ProcessId; readonly forMs: number }

export type GroupEvent =
  | ProcessEvent
  | { readonly type: 'start' }
  | { readonly type: 'roll' }
  | { readonly type: 'stop' }
  /** The time of `wakeAt` has come. */
  | { readonly type: 'tick' }

/** `replacement`: for a process that has exited. */
export type SpawnReason = 'start' | 'replacement' | 'rolling restart'

export type KillCause = 'did not listen in time' | 'did not exit in time' | 'did not answer'

export type GroupCommand =
  | {
      readonly type: 'spawn'
      readonly id: ProcessId
      readonly number: number
      readonly reason: SpawnReason
    }
  | { readonly type: 'heartbeat'; readonly id: ProcessId }
  /** Keep new connections away from it, then SIGTERM. */
  | { readonly type: 'retire'; readonly id: ProcessId }
  | { readonly type: 'terminate'; readonly id: ProcessId }
  | { readonly type: 'kill'; readonly id: ProcessId; readonly cause: KillCause }
  | { readonly type: 'reset-steering' }
  /** All processes have started. */
  | { readonly type: 'started' }
  /** The first start has failed, and the group ends. `exit` is undefined when the process did not listen in time. */
  | { readonly type: 'start-failed'; readonly exit: ProcessExit | undefined }
  /** This rolling restart serves all requests that came before it. */
  | { readonly type: 'roll-began' }
  | { readonly type: 'roll-ended'; readonly outcome: RollOutcome }
  | { readonly type: 'report'; readonly report: GroupReport }

/** An event for the log. `delayMs`: until the next start. */
export type GroupReport =
  | (Numbered & { readonly name: 'died'; readonly exit: ProcessExit; readonly delayMs: number })
  | (Numbered & {
      readonly name: 'start-failed'
      readonly exit: ProcessExit | undefined
      readonly delayMs: number
    })
  | (Numbered & { readonly name: 'leaving'; readonly delayMs: number })
  | (Numbered & { readonly name: 'failed-exit'; readonly exit: ProcessExit })
  | (Numbered & { readonly name: 'unkillable' })
  | { readonly name: 'roll-postponed' }

interface Numbered {
  readonly id: ProcessId
  readonly number: number
}
