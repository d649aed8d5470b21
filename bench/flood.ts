import { readFileSync } from 'node:fs'
import { connect } from './client.ts'
import { moveToLoadCore } from './cores.ts'
import { describeMachine } from './machine.ts'
import { type Flood, openLoop } from './open-loop.ts'
import { startServer } from './server-process.ts'
import { quantile } from './statistics.ts'
import { tally } from './targets.ts'

// Overloads a service with three times its capacity for a minute, then checks that it recovers. Fails when the service
// breaks a limit that docs/access.md promises.
//
//   bun bench/flood.ts [SECONDS] [TIMES]     60 seconds, 3 times the capacity
//   SHED_AFTER=0s bun bench/flood.ts         without shedding on event-loop lag, for comparison

const [seconds = 60, times = 3] = process.argv.slice(2).map(Number)
const connectionsMax = 1_000
/** 20 kB and about 0.3 ms of work: expensive enough that one load core can overload one server core. */
const body = JSON.stringify({ numbers: Array.from({ length: 10_000 }, (_, i) => i % 10), text: 'flood' })
const request = Buffer.from(
  `POST /payload HTTP/1.1\r\nHost: tally\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
)

/** Upper limits, in ms and MB. */
const limits = { shedP99: 50, acceptedP99: 500, growthMb: 256, afterwardsP99: 100 }

moveToLoadCore()
const { SHED_AFTER = '200ms', MAX_IN_FLIGHT = '1000' } = process.env
const server = await startServer({ ...tally, env: { ...tally.env, SHED_AFTER, MAX_IN_FLIGHT } })
try {
  const capacity = await measureCapacity()
  const before = residentMb()
  const waitedBefore = [waitedSeconds(server.pid), waitedSeconds(process.pid)]
  const watch = watchProbes()
  const flood = await openLoop(server.port, request, { perSecond: capacity * times, seconds, connectionsMax })
  const probes = await watch.stop()
  const waited = [server.pid, process.pid].map((pid, i) => waitedSeconds(pid) - (waitedBefore[i] ?? 0))
  // Give the backlog five seconds to clear; then latency must be back to normal.
  await Bun.sleep(4_000)
  const afterwards = await openLoop(server.port, request, {
    perSecond: capacity / 3,
    seconds: 3,
    connectionsMax,
  })
  report(capacity, flood, afterwards, probes, { before, highest: watch.highestMb() }, waited)
} finally {
  await server.stop()
}

async function measureCapacity(): Promise<number> {
  const client = await connect(server.port, request, 32)
  await client.run(2_000, () => {})
  const { seconds: took, latenciesMs } = await client.run(4_000, () => {})
  client.close()
  return latenciesMs.length / took
}

/** Requests health and metrics ten times a second, each on a new connection, and samples memory. */
function watchProbes() {
  const latenciesMs: number[] = []
  let failed = 0
  let highest = 0
  let stopped = false
  const ask = async (path: string): Promise<void> => {
    const start = performance.now()
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`, {
      headers: { connection: 'close' },
    }).catch(() => undefined)
    await response?.bytes()
    latenciesMs.push(performance.now() - start)
    if (response?.status !== 200) failed++
  }
  const loop = (async () => {
    while (!stopped) {
      await Promise.all([ask('/health'), ask('/metrics'), Bun.sleep(100)])
      highest = Math.max(highest, residentMb())
    }
  })()
  return {
    highestMb: () => highest,
    async stop() {
      stopped = true
      await loop
      return { latenciesMs, failed }
    },
  }
}

function residentMb(): number {
  const [, kilobytes = '0'] =
    /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8')) ?? []
  return Math.round(Number(kilobytes) / 1024)
}

/** How long the main thread was runnable without a core (proc_pid_schedstat(5)): the interference of other programs. */
function waitedSeconds(pid: number): number {
  const [, nanoseconds = '0'] = readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')
  return Number(nanoseconds) / 1e9
}

function report(
  capacity: number,
  flood: Flood,
  afterwards: Flood,
  probes: { latenciesMs: readonly number[]; failed: number },
  memory: { before: number; highest: number },
  [serverWaited = 0, loadWaited = 0]: readonly number[],
): void {
  const line = (name: string, latencies: readonly number[] = []): string => {
    const [p50, p99, max] =
      latencies.length === 0 ? [] : [0.5, 0.99, 1].map((share) => quantile(latencies, share))
    const ms = (value: number | undefined): string => (value === undefined ? '–' : `${value.toFixed(1)} ms`)
    return `${name.padEnd(28)} ${String(latencies.length).padStart(8)}   p50 ${ms(p50)}   p99 ${ms(p99)}   max ${ms(max)}`
  }
  const share = (waited: number): string => `${((waited / seconds) * 100).toFixed(1)} %`
  const { latenciesMs, due, unsent, lost } = flood
  const accepted = latenciesMs.get(200) ?? []
  const shed = latenciesMs.get(503) ?? []
  const others = [...latenciesMs].filter(([status]) => status !== 200 && status !== 503)
  const { cpu, bun, pinned } = describeMachine()
  console.log(
    [
      `${cpu}, Bun ${bun}, ${pinned ? 'server and load pinned to one core each' : 'server and load not pinned'}`,
      `capacity ${capacity.toFixed(0)}/s; ${times} times that for ${seconds} s: ${due} requests`,
      line('answered 200', accepted),
      line('shed with 503', shed),
      line('probes (/health, /metrics)', probes.latenciesMs),
      line('afterwards, 1/3 of capacity', afterwards.latenciesMs.get(200)),
      `other responses ${others.length}, lost ${lost}, not sent (no free connection) ${unsent}, failed probes ${probes.failed}`,
      `memory ${memory.before} MB before, ${memory.highest} MB peak`,
      `time waiting for a core: server ${share(serverWaited)}, load ${share(loadWaited)}`,
    ].join('\n'),
  )
  const p99 = (latencies: readonly number[] = []): number =>
    latencies.length === 0 ? 0 : quantile(latencies, 0.99)
  const broken = [
    ...(p99(accepted) > limits.acceptedP99 ? [`accepted p99 above ${limits.acceptedP99} ms`] : []),
    ...(p99(shed) > limits.shedP99 ? [`shed p99 above ${limits.shedP99} ms`] : []),
    ...(accepted.length === 0 || shed.length === 0 ? ['nothing accepted, or nothing shed'] : []),
    ...(memory.highest - memory.before > limits.growthMb
      ? [`memory grew by more than ${limits.growthMb} MB`]
      : []),
    ...(others.length + lost + probes.failed > 0 ? ['other responses, lost requests or failed probes'] : []),
    ...(afterwards.latenciesMs.size !== 1 || p99(afterwards.latenciesMs.get(200)) > limits.afterwardsP99
      ? ['no recovery after the overload']
      : []),
  ]
  if (broken.length === 0) return
  console.error(`FAILED: ${broken.join('; ')}`)
  process.exitCode = 1
}
