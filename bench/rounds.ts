import { connect, NoAnswer } from './client.ts'
import { cpuSeconds, ownCpuSeconds } from './cpu-time.ts'
import { checkFigures, checkRefused, statusCheck, wrongBodies } from './expected.ts'
import { residentBytes } from './resident-memory.ts'
import type { Answer } from './response-reader.ts'
import { type ServerProcess, startServer } from './server-process.ts'
import { quantile } from './statistics.ts'
import type { Target } from './targets.ts'
import { postPayload, type Workload } from './workloads.ts'

/** How long and how often is measured. */
export interface Plan {
  readonly rounds: number
  readonly windowMs: number
  /** Before the first round, so that the targets' code is compiled and their heaps have grown. */
  readonly warmUpMs: number
  /** How long an answer may take before its server counts as silent; the client's own limit unless told. */
  readonly answerTimeoutMs?: number
}

/** One target under load for one window. */
export interface Window {
  readonly requests: number
  readonly seconds: number
  readonly cpuMicrosPerRequest: number
  /** CPU time over wall time: how busy the server's core was with this server. */
  readonly serverBusy: number
  /** The same of the load generator: near 1, requests per second are its limit and not the server's. */
  readonly loadBusy: number
  readonly latencyMsP50: number
  readonly latencyMsP99: number
  /** What the server has in memory at the end, connections still open. */
  readonly residentBytes: number
}

/** A target's windows, one a round; or why it was not measured. */
export interface Measurement {
  readonly target: string
  readonly windows: readonly Window[]
  readonly rejected?: string
  /** What happened that the figures do not show: a window that had to be repeated. */
  readonly notes: readonly string[]
}

/** What a server still does when the last answer is out (batched log lines, garbage) belongs to its window. */
const settleMs = 100

/**
 * Measures every target under one workload, in rounds: each round gives each target one window, and each
 * round begins with another target, so that whatever else the machine does meets all of them alike. Each
 * workload gets fresh processes. A target that does not start, breaks or answers wrong is rejected. One that falls
 * silent is started anew and its window repeated, once a round, which its notes tell.
 */
export async function measure(
  targets: readonly Target[],
  workload: Workload,
  plan: Plan,
  progress: (message: string) => void,
): Promise<Measurement[]> {
  const contestants: Contestant[] = []
  try {
    for (const target of targets) {
      progress(`${workload.name}: ${target.name} warms up`)
      contestants.push(await enter(target, workload, plan))
    }
    for (let round = 0; round < plan.rounds; round++) {
      progress(`${workload.name}: round ${round + 1} of ${plan.rounds}`)
      const first = round % contestants.length
      for (const contestant of [...contestants.slice(first), ...contestants.slice(0, first)])
        await addWindow(contestant, workload, plan)
    }
  } finally {
    await Promise.all(contestants.map(({ server }) => server?.stop()))
  }
  return contestants.map(({ target, windows, notes, rejected }) => ({
    target: target.name,
    windows,
    notes,
    ...(rejected === undefined ? {} : { rejected }),
  }))
}

interface Contestant {
  readonly target: Target
  readonly windows: Window[]
  readonly notes: string[]
  server: ServerProcess | undefined
  rejected: string | undefined
}

/** Starts a target and makes it ready for its first window. */
async function enter(target: Target, workload: Workload, plan: Plan): Promise<Contestant> {
  const contestant: Contestant = { target, windows: [], notes: [], server: undefined, rejected: undefined }
  await orReject(contestant, () => repeatedOnce(contestant, () => prepare(contestant, workload, plan)))
  return contestant
}

async function addWindow(contestant: Contestant, workload: Workload, plan: Plan): Promise<void> {
  if (contestant.rejected !== undefined) return
  await orReject(contestant, () =>
    repeatedOnce(contestant, async () => {
      const server = contestant.server ?? (await prepare(contestant, workload, plan))
      contestant.windows.push(await measureWindow(server, workload, plan, plan.windowMs))
    }),
  )
}

/** Starts a target, looks at its answers and warms it up. */
async function prepare(contestant: Contestant, workload: Workload, plan: Plan): Promise<ServerProcess> {
  const server = await startServer(contestant.target)
  contestant.server = server
  await checkAnswers(server, workload, plan)
  await measureWindow(server, workload, plan, plan.warmUpMs)
  return server
}

async function repeatedOnce(contestant: Contestant, attempt: () => Promise<unknown>): Promise<void> {
  try {
    await attempt()
  } catch (error) {
    if (!(error instanceof NoAnswer)) throw error
    contestant.notes.push(`started anew and the window repeated: ${error.message}`)
    await contestant.server?.stop()
    contestant.server = undefined
    await attempt()
  }
}

async function orReject(contestant: Contestant, attempt: () => Promise<void>): Promise<void> {
  try {
    await attempt()
  } catch (error) {
    contestant.rejected = error instanceof Error ? error.message : String(error)
  }
}

async function checkAnswers({ target, port }: ServerProcess, workload: Workload, plan: Plan): Promise<void> {
  const ask = (request: Uint8Array, check: (answer: Answer) => void): Promise<void> =>
    askOnce(port, request, check, plan.answerTimeoutMs)
  const { expected } = workload
  if (target.computes === false || expected === undefined)
    return ask(workload.request, statusCheck(workload.status ?? 200))
  await ask(workload.request, (answer) => checkFigures(answer, expected, target.exact === true))
  for (const body of wrongBodies) await ask(postPayload(body), (answer) => checkRefused(answer, body))
}

/** On a connection of its own: a server may close it after a request that it refused. */
async function askOnce(
  port: number,
  request: Uint8Array,
  check: (answer: Answer) => void,
  answerTimeoutMs: number | undefined,
): Promise<void> {
  const client = await connect(port, request, 1)
  try {
    await client.run(0, check, answerTimeoutMs)
  } finally {
    client.close()
  }
}

async function measureWindow(
  server: ServerProcess,
  workload: Workload,
  { answerTimeoutMs }: Plan,
  durationMs: number,
): Promise<Window> {
  const client = await connect(server.port, workload.request, workload.connections, workload.underWay)
  try {
    const cpuBefore = cpuSeconds(server.pid)
    const loadBefore = ownCpuSeconds()
    const check = statusCheck(workload.status ?? 200)
    const { seconds, latenciesMs } = await client.run(durationMs, check, answerTimeoutMs)
    const loadCpu = ownCpuSeconds() - loadBefore
    await Bun.sleep(settleMs)
    const cpu = cpuSeconds(server.pid) - cpuBefore
    const requests = latenciesMs.length
    return {
      requests,
      seconds,
      cpuMicrosPerRequest: (cpu / requests) * 1e6,
      serverBusy: cpu / seconds,
      loadBusy: loadCpu / seconds,
      latencyMsP50: quantile(latenciesMs, 0.5),
      latencyMsP99: quantile(latenciesMs, 0.99),
      residentBytes: residentBytes(server.pid),
    }
  } finally {
    client.close()
  }
}
