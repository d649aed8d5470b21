import type { CheckResult } from '../lifecycle/index.ts'
import type { RuntimeSettings } from '../runtime-settings/runtime-settings.ts'
import type { Log } from '../telemetry/log/log.ts'
import { ListenerGroup } from './listener-order.ts'
import { memberArgument } from './membership.ts'
import type { Answers, CheckResults, FromMember, Question, Snapshot, ToMember } from './messages.ts'
import { MetricsSum } from './metrics-aggregator.ts'
import { PendingAnswers } from './rpc-client.ts'

/** A process that dies at once again and again is started ever more slowly, in ms. */
const backoffFirstMs = 100
const backoffMaxMs = 10_000
/** A process that lived so long did not die of its start. */
const stableAfterMs = 10_000
/** How long the kernel may be talked to through another process, in ms. */
const steerTimeoutMs = 1_000
/** How long a scrape waits for the other processes' counts, in ms; then their newest known ones do. */
const snapshotTimeoutMs = 500
/** How long a process may take to say how what it depends on is, in ms: below a readiness probe's own second. */
const checksTimeoutMs = 800
/** How long a process may take to take over changed settings, in ms. */
const settingsTimeoutMs = 1_000
/** How long a heap snapshot may take, in ms: a process stands still meanwhile, for a second per 30 MB or so. */
const heapSnapshotTimeoutMs = 300_000

interface MemberProcess {
  readonly process: Bun.Subprocess
  readonly startedAt: number
  /** Resolves with the exit code when it is gone and its counts are kept. */
  readonly gone: Promise<number>
  leaving: boolean
  snapshot: Snapshot
  readonly answers: PendingAnswers<Answers[Question['kind']]>
}

export interface SupervisorOptions {
  /** How many processes share the port. */
  readonly count: number
  /** The command of one process, without the argument that makes it a member. */
  readonly command: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  readonly log: Log
  /** The settings that hold in all processes, also in those that are started later. */
  readonly live: RuntimeSettings
  /** What a member may take from its start until it listens, in ms. Default 30,000. */
  readonly startTimeoutMs?: number
}

export interface Supervisor {
  readonly port: number
  /**
   * The metrics of all processes, in the text format.
   * @param own what this process has counted itself.
   */
  scrape(own: Snapshot): Promise<string>
  /** What the processes depend on: failing when one of them says so. `processes` itself, when none answers. */
  checks(): Promise<CheckResults>
  /**
   * Has a process write a heap snapshot into a file.
   * @param pid which one. Default: any.
   * @returns the pid of the process that did; undefined when none is asked for by this pid.
   * @throws when it could not.
   */
  writeHeapSnapshot(path: string, pid?: number): Promise<number | undefined>
  /** Replaces every process, one after another, each by one that listens already. */
  roll(): Promise<void>
  /** Tells every process to drain; nothing is started any more. */
  drain(): void
  /**
   * Resolves when all processes are gone.
   * @throws when one of them ended with a code other than 0.
   */
  gone(): Promise<void>
  /** Ends what is left, at once, and names it. */
  kill(): string[]
}

/**
 * Runs several server processes on one port: starts them, replaces those that die, rolls them without
 * losing a connection (see lifecycle/reuseport.ts), and sums their metrics.
 *
 * Starts, ends and rolls happen one after another, for the kernel's order of listeners must stay known.
 *
 * @throws when the first processes cannot start.
 */
export async function startSupervisor(options: SupervisorOptions): Promise<Supervisor> {
  const { count, command, log, live, startTimeoutMs = 30_000 } = options
  const group = new ListenerGroup<MemberProcess>()
  const members = new Set<MemberProcess>()
  const sum = new MetricsSum()
  let env = options.env
  let port = 0
  let stopping = false
  let failures = 0
  let line: Promise<unknown> = Promise.resolve()

  /** Runs `work` when everything before it is done. */
  const inLine = <T>(work: () => Promise<T>): Promise<T> => {
    const result = line.then(work)
    line = result.catch(() => {})
    return result
  }

  const start = async (): Promise<MemberProcess> => {
    const listening = Promise.withResolvers<number>()
    const child = Bun.spawn([...command, memberArgument], {
      env,
      stdin: 'ignore',
      stdout: 'inherit',
      stderr: 'inherit',
      // A group of its own: a terminal's Ctrl-C reaches the supervisor only, which passes it on once.
      detached: true,
      ipc: (message: FromMember) => hear(member, message, listening.resolve),
    })
    const member: MemberProcess = {
      process: child,
      startedAt: performance.now(),
      gone: child.exited.then((code) => buried(member, code)),
      leaving: false,
      snapshot: [],
      answers: new PendingAnswers(),
    }
    members.add(member)
    void child.exited.then((code) => listening.reject(new StartError(code)))
    const timer = setTimeout(() => child.kill('SIGKILL'), startTimeoutMs)
    try {
      port = await listening.promise
    } finally {
      clearTimeout(timer)
    }
    group.opened(member)
    await adopt(member)
    // With PORT=0 the first process finds the port; the others share it.
    env = { ...env, PORT: String(port) }
    return member
  }

  const buried = async (member: MemberProcess, code: number): Promise<number> => {
    group.closed(member)
    members.delete(member)
    await sum.retire(member.snapshot)
    if (!member.leaving && !stopping && group.size < count) {
      log.error('a process died: it is replaced', { pid: member.process.pid, exit_code: code })
      void replace(performance.now() - member.startedAt > stableAfterMs)
    }
    return code
  }

  const replace = async (wasStable: boolean): Promise<void> => {
    failures = wasStable ? 0 : failures + 1
    const waitMs = failures <= 1 ? 0 : Math.min(backoffMaxMs, backoffFirstMs * 2 ** (failures - 2))
    await new Promise((resolve) => setTimeout(resolve, waitMs))
    await inLine(async () => {
      if (stopping || group.size >= count) return
      // A failure to start is heard through the exit, which comes back here.
      await start().then(
        (member) => log.info('process started', { pid: member.process.pid }),
        () => {},
      )
    })
  }

  const hear = (member: MemberProcess, message: FromMember, listening: (port: number) => void): void => {
    if (message.type === 'listening') listening(message.port)
    else if (message.type === 'answer') member.answers.settle(message.id, message.answer)
    else if (message.type === 'change-wanted') void change(member, message)
    else {
      member.snapshot = message.snapshot
      if (message.type === 'sum-wanted') void answerScrape(member, message.id)
    }
  }

  const tell = (member: MemberProcess, message: ToMember): void => {
    // A process may be gone between the decision and the sending; its exit is handled on its own.
    if (member.process.exitCode === null) member.process.send(message)
  }

  /** @returns undefined when the process did not answer in time, or is gone. */
  const ask = async <Asked extends Question>(
    { process: child, answers }: MemberProcess,
    question: Asked,
    timeoutMs: number,
  ): Promise<Answers[Asked['kind']] | undefined> => {
    if (child.exitCode !== null) return undefined
    const answer = await answers.ask((id) => child.send({ type: 'question', id, question }), timeoutMs)
    // The id is this question's, and a question's kind tells the type of its answer.
    return answer as Answers[Asked['kind']] | undefined
  }

  /** Has a process take over the settings as they are now. */
  const adopt = async (member: MemberProcess): Promise<void> => {
    const { current: settings } = live
    if ((await ask(member, { kind: 'settings', settings }, settingsTimeoutMs)) === undefined)
      log.warn('a process did not take over the settings', { pid: member.process.pid })
  }
  live.subscribe(async () => {
    await Promise.all([...members].filter((member) => group.indexOf(member) !== -1).map(adopt))
  })

  const change = async (
    member: MemberProcess,
    { id, change, by }: FromMember & { type: 'change-wanted' },
  ): Promise<void> => {
    await live.change(change, by)
    tell(member, { type: 'changed', id })
  }

  /** The newest counts of all processes, in the text format. */
  const sumOfAll = async (fresh?: MemberProcess, own: Snapshot = []): Promise<string> => {
    const others = [...members].filter((member) => member !== fresh)
    await Promise.all(
      others.map(async (member) => {
        member.snapshot = (await ask(member, { kind: 'snapshot' }, snapshotTimeoutMs)) ?? member.snapshot
      }),
    )
    return sum.text([own, ...[...members].map(({ snapshot }) => snapshot)])
  }

  const answerScrape = async (asking: MemberProcess, id: number): Promise<void> =>
    tell(asking, { type: 'sum', id, text: await sumOfAll(asking) })

  /** Speaks to the kernel through a process of the group other than `leaving`. */
  const steer = async (
    leaving: MemberProcess,
    question: Question & { kind: 'steer-away' | 'steer-evenly' },
  ): Promise<void> => {
    const speaker = group.other(leaving)
    if (speaker === undefined) return
    const answer = await ask(speaker, question, steerTimeoutMs)
    const problem = answer === undefined ? 'no answer' : answer
    if (problem !== null)
      log.warn('new connections could not be steered: some may be reset (net.ipv4.tcp_migrate_req=1 helps)', {
        problem,
      })
  }

  const rollOne = async (old: MemberProcess): Promise<void> => {
    await start()
    if (old.process.exitCode !== null) return
    old.leaving = true
    await steer(old, { kind: 'steer-away', index: group.indexOf(old), size: group.size })
    old.process.kill('SIGTERM')
    await old.gone
    await steer(old, { kind: 'steer-evenly' })
  }

  const roll = async (): Promise<void> => {
    const startedAt = performance.now()
    for (const old of [...members]) {
      if (stopping) return
      try {
        await rollOne(old)
      } catch (error) {
        log.error('the roll ends here: the new process did not start, the old ones stay', { error })
        return
      }
    }
    log.info('rolled', { processes: members.size, duration_ms: Math.round(performance.now() - startedAt) })
  }

  for (let i = 0; i < count; i++) {
    try {
      await start()
    } catch (error) {
      stopping = true
      for (const { process: child } of members) child.kill('SIGTERM')
      throw error
    }
  }
  log.info('supervising', {
    processes: count,
    port,
    pids: [...members].map(({ process: child }) => child.pid),
  })

  return {
    get port() {
      return port
    },
    scrape: (own) => sumOfAll(undefined, own),
    async checks() {
      const staying = [...members].filter(({ leaving }) => !leaving)
      const told = await Promise.all(
        staying.map((member) => ask(member, { kind: 'checks' }, checksTimeoutMs)),
      )
      return together(told.filter((results) => results !== undefined))
    },
    async writeHeapSnapshot(path, pid) {
      const member = [...members].find(({ process: child }) => pid === undefined || child.pid === pid)
      if (member === undefined) return undefined
      const problem = await ask(member, { kind: 'heap-snapshot', path }, heapSnapshotTimeoutMs)
      if (problem !== null) throw new Error(`no heap snapshot: ${problem ?? 'no answer'}`)
      return member.process.pid
    },
    roll: () => inLine(roll),
    drain() {
      stopping = true
      for (const member of members) member.process.kill('SIGTERM')
    },
    async gone() {
      const codes = await Promise.all([...members].map(({ gone }) => gone))
      const bad = codes.find((code) => code !== 0)
      if (bad !== undefined) throw new Error(`a server process ended with ${bad}`)
    },
    kill() {
      const left = [...members]
      for (const { process: child } of left) child.kill('SIGKILL')
      return left.map(({ process: child }) => `process ${child.pid}`)
    },
  }
}

/** The checks of several processes as one's. */
function together(told: readonly CheckResults[]): CheckResults {
  const all: Record<string, CheckResult> = {
    processes: { status: told.length > 0 ? 'ok' : 'failing', required: true },
  }
  for (const [name, result] of told.flatMap((results) => Object.entries(results)))
    if (all[name]?.status !== 'failing') all[name] = result
  return all
}

/** A process ended before it listened. */
export class StartError extends Error {
  override readonly name = 'StartError'
  constructor(readonly exitCode: number) {
    super(`a server process ended with ${exitCode} before it listened`)
  }
}
