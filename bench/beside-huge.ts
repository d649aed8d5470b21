import { connect } from './client.ts'
import { cores, moveTo, onAllCores } from './cores.ts'
import { checkStatus } from './expected.ts'
import type { Finding } from './finding.ts'
import type { HugeLoad } from './huge-load.ts'
import { openLoop } from './open-loop.ts'
import { type ServerProcess, startServer } from './server-process.ts'
import { quantile } from './statistics.ts'
import type { Target } from './targets.ts'
import { getHealth, payloadWorkloads } from './workloads.ts'

/** Effect of huge payloads, sent one after another on one connection, on other requests. */
export interface BesideHuge {
  readonly target: string
  /** Latency of `GET /health` at a fixed rate, measured from the due time; the server has one core. */
  readonly healthMsP50: number
  readonly healthMsP99: number
  readonly healthMsMax: number
  /** Small payloads per second with the huge ones over those without; server and load share all cores. */
  readonly throughputKept: number
}

const probesPerSecond = 200

/** Warm-up until the server's code is compiled. */
const warmUpMs = 2_000

/** Pause between windows, so that leftover work does not affect the next one, in ms. */
const settleMs = 200

/**
 * Measures rows 6 and 7 of the goals for each target.
 *
 * @param windowMs duration of one window; each round has one for row 6 and two for row 7
 * @param rounds number of rounds; the result is their median
 */
export async function measureBesideHuge(
  targets: readonly Target[],
  { windowMs, rounds }: { windowMs: number; rounds: number },
  progress: (message: string) => void,
): Promise<BesideHuge[]> {
  const load = await HugeSender.start()
  try {
    const results: BesideHuge[] = []
    for (const target of targets) {
      progress(`beside huge payloads: ${target.name}`)
      results.push(await measureTarget(target, load, windowMs, rounds))
    }
    return results
  } finally {
    load.end()
  }
}

/** Rows 6 and 7 of the table of goals for the named target. */
export function findingsBeside(results: readonly BesideHuge[], name: string): (Finding & { row: number })[] {
  const own = results.find(({ target }) => target === name)
  if (own === undefined) return []
  const others = results.filter(({ target }) => target !== name)
  const ms = (value: number): string => `${value.toFixed(1)} ms`
  return [
    {
      row: 6,
      figure: `p99 ${ms(own.healthMsP99)}, p50 ${ms(own.healthMsP50)}`,
      verdict: own.healthMsP99 <= 9 && own.healthMsP50 <= 2 ? 'met' : 'missed',
      beside: others.map(({ target, healthMsP99 }) => `${target} p99 ${ms(healthMsP99)}`),
    },
    {
      row: 7,
      figure: percent(own.throughputKept),
      verdict: own.throughputKept >= 0.5 ? 'met' : 'missed',
      beside: others.map(({ target, throughputKept }) => `${target} ${percent(throughputKept)}`),
    },
  ]
}

const percent = (share: number): string => `${Math.round(share * 100)} %`

async function measureTarget(
  target: Target,
  load: HugeSender,
  windowMs: number,
  rounds: number,
): Promise<BesideHuge> {
  const onOneCore = await startServer(target)
  const probes: { p50: number; p99: number; max: number }[] = []
  try {
    await load.send(onOneCore.port, warmUpMs)
    for (let round = 0; round < rounds; round++) {
      probes.push(await probeBeside(onOneCore, load, windowMs))
      await Bun.sleep(settleMs)
    }
  } finally {
    await onOneCore.stop()
  }
  const kept = await measureThroughputKept(target, load, windowMs, rounds)
  const median = (pick: (probe: (typeof probes)[number]) => number): number => quantile(probes.map(pick), 0.5)
  return {
    target: target.name,
    healthMsP50: median(({ p50 }) => p50),
    healthMsP99: median(({ p99 }) => p99),
    healthMsMax: median(({ max }) => max),
    throughputKept: quantile(kept, 0.5),
  }
}

async function probeBeside({ port }: ServerProcess, load: HugeSender, windowMs: number) {
  const seconds = windowMs / 1_000
  // Allow one connection per probe, so that no probe waits for an earlier one.
  const connectionsMax = probesPerSecond * seconds
  const [{ latenciesMs, lost }] = await Promise.all([
    openLoop(port, getHealth, { perSecond: probesPerSecond, seconds, connectionsMax }),
    load.send(port, windowMs),
  ])
  if (lost > 0) throw new Error(`no response to ${lost} probes`)
  // Bare has no such route; its error responses count as well.
  const all = [...latenciesMs.values()].flat()
  return { p50: quantile(all, 0.5), p99: quantile(all, 0.99), max: quantile(all, 1) }
}

/** Server and load share all cores, so that an analysis thread has a core to run on. */
async function measureThroughputKept(target: Target, load: HugeSender, windowMs: number, rounds: number) {
  const server = await startServer({ ...target, command: onAllCores(target.command) })
  if (cores !== undefined) moveTo([cores.server, cores.load])
  const small = payloadWorkloads().find(({ name }) => name === 'small')!
  const client = await connect(server.port, small.request, small.connections)
  const perSecond = async (): Promise<number> => {
    const { seconds, latenciesMs } = await client.run(windowMs, checkStatus)
    return latenciesMs.length / seconds
  }
  const kept: number[] = []
  try {
    await Promise.all([perSecond(), load.send(server.port, windowMs)])
    for (let round = 0; round < rounds; round++) {
      await Bun.sleep(settleMs)
      const alone = await perSecond()
      await Bun.sleep(settleMs)
      const [beside] = await Promise.all([perSecond(), load.send(server.port, windowMs)])
      kept.push(beside / alone)
    }
    return kept
  } finally {
    client.close()
    await server.stop()
    if (cores !== undefined) moveTo([cores.load])
  }
}

/** Controls the thread of huge-load.ts. */
class HugeSender {
  private constructor(private readonly worker: Worker) {}

  static async start(): Promise<HugeSender> {
    const sender = new HugeSender(new Worker(new URL('./huge-load.ts', import.meta.url).href))
    await sender.#nextMessage()
    return sender
  }

  /** Sends huge payloads for the duration. @returns the number of responses. */
  async send(port: number, durationMs: number): Promise<number> {
    const answered = this.#nextMessage()
    this.worker.postMessage({ port, durationMs } satisfies HugeLoad)
    return Number(await answered)
  }

  end(): void {
    this.worker.terminate()
  }

  #nextMessage(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.worker.onmessage = ({ data }) => resolve(data)
      this.worker.onerror = ({ message }) => reject(new Error(message))
    })
  }
}
