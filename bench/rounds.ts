import { connect, ResponseTimeout } from './client.ts'
import { cpuSeconds, ownCpuSeconds } from './cpu-time.ts'
import { checkFigures, checkRejected, invalidBodies, statusCheck } from './expected.ts'
import { residentBytes } from './resident-memory.ts'
import type { RawResponse } from './response-reader.ts'
import { type ServerProcess, startServer } from './server-process.ts'
import { quantile } from './statistics.ts'
import type { Target } from './targets.ts'
import { postPayload, type Workload } from './workloads.ts'

/** Duration and number of the windows. */
export interface Plan {
  readonly rounds: number
  readonly windowMs: number
  /** Load before the first round: code gets compiled and heaps grow. */
  readonly warmUpMs: number
  /** Time limit for a response before the server counts as silent. Default: the client's limit. */
  readonly responseTimeoutMs?: number
}

/** One target under load for one window. */
export interface Window {
  readonly requests: number
  readonly seconds: number
  readonly cpuMicrosPerRequest: number
  /** Server CPU time over wall time. */
  readonly serverBusy: number
  /** Load generator CPU time over wall time. Near 1, the load generator limits the requests per second. */
  readonly loadBusy: number
  readonly latencyMsP50: number
  readonly latencyMsP99: number
  /** Memory of the server at the end, with connections still open. */
  readonly residentBytes: number
}

/** A target's windows, one per round, or the reason for its rejection. */
export interface Measurement {
  readonly target: string
  readonly windows: readonly Window[]
  readonly rejected?: string
  /** Events that the figures do not show, such as a repeated window. */
  readonly notes: readonly string[]
}

/** Work after the last response (batched log lines, garbage collection) belongs to the window. */
const settleMs = 100

/**
 * Measures every target under one workload, in rounds. Each round gives each target one window and starts with another
 * target, so that interference from other programs affects all targets alike. Each call starts fresh processes. A target
 * that fails to start, breaks the connection or responds wrongly is rejected. If a target stops responding, it is
 * restarted and its window repeated, once per round, with a note.
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
      progress(`${workload.name}: warming up ${target.name}`)
      contestants.push(await createContestant(target, workload, plan))
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

/** Starts and warms up a target. */
async function createContestant(target: Target, workload: Workload, plan: Plan): Promise<Contestant> {
  const contestant: Contestant = { target, windows: [], notes: [], server: undefined, rejected: undefined }
  await orReject(contestant, () => retryOnce(contestant, () => prepare(contestant, workload, plan)))
  return contestant
}

async function addWindow(contestant: Contestant, workload: Workload, plan: Plan): Promise<void> {
  if (contestant.rejected !== undefined) return
  await orReject(contestant, () =>
    retryOnce(contestant, async () => {
      const server = contestant.server ?? (await prepare(contestant, workload, plan))
      contestant.windows.push(await measureWindow(server, workload, plan, plan.windowMs))
    }),
  )
}

/** Starts a target, checks its responses and warms it up. */
async function prepare(contestant: Contestant, workload: Workload, plan: Plan): Promise<ServerProcess> {
  const server = await startServer(contestant.target)
  contestant.server = server
  await checkResponses(server, workload, plan)
  await measureWindow(server, workload, plan, plan.warmUpMs)
  return server
}

async function retryOnce(contestant: Contestant, attempt: () => Promise<unknown>): Promise<void> {
  try {
    await attempt()
  } catch (error) {
    if (!(error instanceof ResponseTimeout)) throw error
    contestant.notes.push(`restarted and window repeated: ${error.message}`)
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

async function checkResponses(
  { target, port }: ServerProcess,
  workload: Workload,
  plan: Plan,
): Promise<void> {
  const send = (request: Uint8Array, check: (response: RawResponse) => void): Promise<void> =>
    sendOnce(port, request, check, plan.responseTimeoutMs)
  const { expected } = workload
  if (target.computes === false || expected === undefined)
    return send(workload.request, statusCheck(workload.status ?? 200))
  await send(workload.request, (response) => checkFigures(response, expected, target.exact === true))
  for (const body of invalidBodies) await send(postPayload(body), (response) => checkRejected(response, body))
}

/** Uses a new connection: a server may close it after an invalid request. */
async function sendOnce(
  port: number,
  request: Uint8Array,
  check: (response: RawResponse) => void,
  responseTimeoutMs: number | undefined,
): Promise<void> {
  const client = await connect(port, request, 1)
  try {
    await client.run(0, check, responseTimeoutMs)
  } finally {
    client.close()
  }
}

async function measureWindow(
  server: ServerProcess,
  workload: Workload,
  { responseTimeoutMs }: Plan,
  durationMs: number,
): Promise<Window> {
  const client = await connect(server.port, workload.request, workload.connections, workload.inFlight)
  try {
    const cpuBefore = cpuSeconds(server.pid)
    const loadBefore = ownCpuSeconds()
    const check = statusCheck(workload.status ?? 200)
    const { seconds, latenciesMs } = await client.run(durationMs, check, responseTimeoutMs)
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
