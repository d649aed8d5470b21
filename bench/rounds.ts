import { connect } from './client.ts'
import { cpuSeconds } from './cpu-time.ts'
import { checkFigures, checkStatus } from './expected.ts'
import { type ServerProcess, startServer } from './server-process.ts'
import { quantile } from './statistics.ts'
import type { Target } from './targets.ts'
import type { Workload } from './workloads.ts'

/** How long and how often is measured. */
export interface Plan {
  readonly rounds: number
  readonly windowMs: number
  /** Before the first round, so that the targets' code is compiled and their heaps have grown. */
  readonly warmUpMs: number
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
}

/** A target's windows, one a round; or why it was not measured. */
export interface Measurement {
  readonly target: string
  readonly windows: readonly Window[]
  readonly rejected?: string
}

/** What a server still does when the last answer is out (batched log lines, garbage) belongs to its window. */
const settleMs = 100

/**
 * Measures every target under one workload, in rounds: each round gives each target one window, and each
 * round begins with another target, so that whatever else the machine does meets all of them alike. Each
 * workload gets fresh processes. A target that does not start, breaks or answers wrong is rejected.
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
  return contestants.map(({ target, windows, rejected }) => ({
    target: target.name,
    windows,
    ...(rejected === undefined ? {} : { rejected }),
  }))
}

interface Contestant {
  readonly target: Target
  readonly windows: Window[]
  server: ServerProcess | undefined
  rejected: string | undefined
}

/** Starts a target, looks at its first answer and warms it up. */
async function enter(target: Target, workload: Workload, plan: Plan): Promise<Contestant> {
  const contestant: Contestant = { target, windows: [], server: undefined, rejected: undefined }
  await orReject(contestant, async () => {
    contestant.server = await startServer(target)
    await checkAnswer(contestant.server, workload)
    await measureWindow(contestant.server, workload, plan.warmUpMs)
  })
  return contestant
}

async function addWindow(contestant: Contestant, workload: Workload, plan: Plan): Promise<void> {
  const { server, rejected, windows } = contestant
  if (server === undefined || rejected !== undefined) return
  await orReject(contestant, async () => {
    windows.push(await measureWindow(server, workload, plan.windowMs))
  })
}

async function orReject(contestant: Contestant, attempt: () => Promise<void>): Promise<void> {
  try {
    await attempt()
  } catch (error) {
    contestant.rejected = error instanceof Error ? error.message : String(error)
  }
}

async function checkAnswer({ target, port }: ServerProcess, workload: Workload): Promise<void> {
  const client = await connect(port, workload.request, 1)
  try {
    await client.run(0, (answer) =>
      target.computes === false ? checkStatus(answer) : checkFigures(answer, workload.expected),
    )
  } finally {
    client.close()
  }
}

async function measureWindow(server: ServerProcess, workload: Workload, durationMs: number): Promise<Window> {
  const client = await connect(server.port, workload.request, workload.connections)
  try {
    const cpuBefore = cpuSeconds(server.pid)
    const loadBefore = cpuSeconds(process.pid)
    const { seconds, latenciesMs } = await client.run(durationMs, checkStatus)
    const loadCpu = cpuSeconds(process.pid) - loadBefore
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
    }
  } finally {
    client.close()
  }
}
