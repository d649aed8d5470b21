/**
 * Effect of large documents on other requests: `bun bench/beside-documents.ts`. Clients create documents of 1 MiB
 * without a pause, while `GET /health` is sent at a fixed rate, with and without them in turn. Server and clients share
 * all cores, so that a thread of the server has one to run on. QUICK=1: shorter windows.
 */
import { onAllCores } from './cores.ts'
import type { DocumentLoad } from './document-load.ts'
import { describeMachine } from './machine.ts'
import { openLoop } from './open-loop.ts'
import { buildProductionBundle } from './production-bundle.ts'
import { startServer } from './server-process.ts'
import { quantile } from './statistics.ts'
import { inImage, tally } from './targets.ts'
import { getHealth } from './workloads.ts'

const clients = 4
const documentBytes = 2 ** 20
const probesPerSecond = 200
const warmUpMs = 3_000
const [rounds, windowMs] = process.env.QUICK === '1' ? [1, 2_000] : [5, 5_000]
/** Limit for the latency of `GET /health` beside the documents, p99. */
const p99MsGoal = 20

/** Documents that were slow to check or to write: many values, deep values, many names, one string. */
const documents: Readonly<Record<string, string>> = {
  '{"a":[1,1,1,…]}': filled('1,', '1'),
  '{"a":[[],[],…]}': filled('[],', '[]'),
  '{"a":[{"k0":"v"},…]}': filled('{"k0":"v"},', '{"k0":"v"}'),
  '{"a":"xxx…"}': `{"a":"${'x'.repeat(documentBytes - 8)}"}`,
}

function filled(element: string, last: string): string {
  const count = Math.floor((documentBytes - last.length - 8) / element.length)
  return `{"a":[${element.repeat(count)}${last}]}`
}

// The 'exit' event stops the server; a signal alone does not emit it.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))

const target = inImage(tally, await buildProductionBundle())
process.stdout.write(`${JSON.stringify(describeMachine())}\n`)
const thread = new Worker(new URL('./document-load.ts', import.meta.url).href)
let missed = false
for (const [name, body] of Object.entries(documents)) {
  const { alone, beside, perSecond } = await measure(body)
  missed ||= beside.p99 > p99MsGoal
  process.stdout.write(
    `${name.padEnd(22)}p50 ${ms(alone.p50)} alone, ${ms(beside.p50)} beside; p99 ${ms(alone.p99)} alone, ${ms(beside.p99)} beside; ${perSecond.toFixed(0)} documents/s\n`,
  )
}
process.exit(missed ? 1 : 0)

/** Medians over the rounds. */
async function measure(body: string) {
  const server = await startServer({
    ...target,
    command: onAllCores(target.command),
    env: { ...target.env, ACCESS_LOG: 'false' },
  })
  const create = (durationMs: number): Promise<number> =>
    createDocuments({ port: server.port, body, clients, durationMs })
  const probes: { alone: Latency; beside: Latency; created: number }[] = []
  try {
    await create(warmUpMs)
    for (let round = 0; round < rounds; round++) {
      const alone = await probe(server.port)
      const [beside, created] = await Promise.all([probe(server.port), create(windowMs)])
      probes.push({ alone, beside, created })
    }
  } finally {
    await server.stop()
  }
  const median = (pick: (probe: (typeof probes)[number]) => number): number => quantile(probes.map(pick), 0.5)
  return {
    alone: { p50: median(({ alone }) => alone.p50), p99: median(({ alone }) => alone.p99) },
    beside: { p50: median(({ beside }) => beside.p50), p99: median(({ beside }) => beside.p99) },
    perSecond: median(({ created }) => created) / (windowMs / 1_000),
  }
}

function createDocuments(documents: DocumentLoad): Promise<number> {
  return new Promise((resolve, reject) => {
    thread.onmessage = ({ data }) => resolve(Number(data))
    thread.onerror = ({ message }) => reject(new Error(message))
    thread.postMessage(documents)
  })
}

interface Latency {
  readonly p50: number
  readonly p99: number
}

async function probe(port: number): Promise<Latency> {
  const seconds = windowMs / 1_000
  // A connection for each probe, so that no probe waits for an earlier one.
  const connectionsMax = probesPerSecond * seconds
  const { latenciesMs, lost } = await openLoop(port, getHealth, {
    perSecond: probesPerSecond,
    seconds,
    connectionsMax,
  })
  if (lost > 0) throw new Error(`no response to ${lost} probes`)
  const all = latenciesMs.get(200) ?? []
  return { p50: quantile(all, 0.5), p99: quantile(all, 0.99) }
}

function ms(value: number): string {
  return `${value.toFixed(1)} ms`
}
