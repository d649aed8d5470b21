import { connect } from './client.ts'
import { checkStatus } from './expected.ts'
import type { Finding } from './finding.ts'
import { openLoop } from './open-loop.ts'
import { residentBytes } from './resident-memory.ts'
import { startServer } from './server-process.ts'
import type { Target } from './targets.ts'
import { payloadWorkloads } from './workloads.ts'

/** Memory of a server under half of its maximum load. */
export interface Soak {
  readonly target: string
  readonly minutes: number
  /** Small payloads sent per second. */
  readonly perSecond: number
  readonly answered: number
  /** Sent but not answered with 200. */
  readonly failed: number
  /** Never sent: due while every connection was waiting for a response, on a busy machine. */
  readonly unsent: number
  /** Resident bytes, sampled once a second. */
  readonly samples: readonly number[]
}

const warmUpMs = 3_000
const capacityMs = 5_000

/**
 * Measures row 10 of the goals: half of the server's maximum rate of small payloads, plus one large payload per minute,
 * so that threads start and stop.
 */
export async function soak(
  target: Target,
  minutes: number,
  progress: (message: string) => void,
): Promise<Soak> {
  const workloads = payloadWorkloads()
  const small = workloads.find(({ name }) => name === 'small')!
  const large = workloads.find(({ name }) => name === 'large')!
  const server = await startServer(target)
  const samples: number[] = []
  try {
    const client = await connect(server.port, small.request, small.connections)
    await client.run(warmUpMs, checkStatus)
    const { seconds: took, latenciesMs } = await client.run(capacityMs, checkStatus)
    client.close()
    const perSecond = Math.floor(latenciesMs.length / took / 2)
    progress(`soak: ${minutes} minutes of ${perSecond} small payloads per second`)
    let answered = 0
    let failed = 0
    let unsent = 0
    for (let minute = 0; minute < minutes; minute++) {
      const sampling = setInterval(() => samples.push(residentBytes(server.pid)), 1_000)
      const [flood] = await Promise.all([
        openLoop(server.port, small.request, { perSecond, seconds: 60, connectionsMax: 500 }),
        sendOnce(server.port, large.request),
      ])
      clearInterval(sampling)
      const right = flood.latenciesMs.get(200)?.length ?? 0
      answered += right
      unsent += flood.unsent
      failed += flood.due - right - flood.unsent
      progress(`soak: minute ${minute + 1}, ${(residentBytes(server.pid) / 1e6).toFixed(1)} MB`)
    }
    return { target: target.name, minutes, perSecond, answered, failed, unsent, samples }
  } finally {
    await server.stop()
  }
}

async function sendOnce(port: number, request: Uint8Array): Promise<void> {
  const client = await connect(port, request, 1)
  await client.run(0, checkStatus)
  client.close()
}

/** Row 10 of the table of goals. */
export function soakFinding({
  minutes,
  samples,
  answered,
  failed,
  unsent,
  target,
}: Soak): Finding & { row: number } {
  const third = Math.floor(samples.length / 3)
  const mean = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length
  const middle = mean(samples.slice(third, 2 * third))
  const last = mean(samples.slice(2 * third))
  const change = last / middle - 1
  const sign = change >= 0 ? '+' : '−'
  return {
    row: 10,
    figure: `${sign}${(Math.abs(change) * 100).toFixed(1)} % (${minutes} min, ${(last / 1e6).toFixed(0)} MB)`,
    verdict: change <= 0.05 && failed === 0 ? 'met' : 'missed',
    beside: [`${target}: ${answered} answered, ${failed} failed, ${unsent} never sent`],
  }
}
