import { readFileSync, writeFileSync } from 'node:fs'
import { connect } from './client.ts'
import { checkStatus } from './expected.ts'
import type { Finding } from './finding.ts'
import { residentBytes } from './resident-memory.ts'
import { type ServerProcess, startServer } from './server-process.ts'
import type { Target } from './targets.ts'
import { getHealth, payloadWorkloads, type Workload } from './workloads.ts'

/** Resident memory of a server before, during and after huge payloads, in bytes. */
export interface MemoryUse {
  readonly target: string
  /** Size of the huge payload. */
  readonly bodyBytes: number
  /** After a few small requests and an idle second. */
  readonly atRest: number
  /** Peak during the first huge payload. */
  readonly peakOfFirst: number
  /** Peak during ten more, one after another. */
  readonly peakOfTen: number
  /** Ten seconds later. */
  readonly afterwards: number
}

const restMs = 1_000
const afterwardsMs = 10_000

/** Measures row 9 of the goals for each target. */
export async function measureMemory(
  targets: readonly Target[],
  progress: (message: string) => void,
): Promise<MemoryUse[]> {
  const huge = payloadWorkloads().find(({ name }) => name === 'huge')!
  const results: MemoryUse[] = []
  for (const target of targets) {
    progress(`memory: ${target.name}`)
    results.push(await measureTarget(target, huge))
  }
  return results
}

/** Row 9 of the table of goals: the named target compared with bare. */
export function memoryFinding(
  results: readonly MemoryUse[],
  name: string,
  bare: string,
): (Finding & { row: number })[] {
  const own = results.find(({ target }) => target === name)
  const floor = results.find(({ target }) => target === bare)
  if (own === undefined || floor === undefined) return []
  const above = own.atRest - floor.atRest
  const bodies = own.peakOfFirst / own.bodyBytes
  return [
    {
      row: 9,
      figure: `bare + ${mb(above)}; ${bodies.toFixed(1)} × the body`,
      verdict: above <= 30e6 && bodies <= 6 ? 'met' : 'missed',
      beside: results
        .filter(({ target }) => target !== name)
        .map((one) => `${one.target} ${mb(one.atRest)}; ${(one.peakOfFirst / one.bodyBytes).toFixed(1)} ×`),
    },
  ]
}

const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`

/** Resident memory of a fresh server after a few small requests and an idle second, in bytes. */
export async function measureAtRest(target: Target): Promise<number> {
  const server = await startServer(target)
  try {
    return await residentAtRest(server)
  } finally {
    await server.stop()
  }
}

async function residentAtRest({ port, pid }: ServerProcess): Promise<number> {
  await sendTo(port, getHealth, 3)
  await Bun.sleep(restMs)
  return residentBytes(pid)
}

async function measureTarget(target: Target, { request, bodyBytes }: Workload): Promise<MemoryUse> {
  const server = await startServer(target)
  try {
    const atRest = await residentAtRest(server)
    const peakOfFirst = await peakDuring(server.pid, () => sendTo(server.port, request, 1))
    const peakOfTen = await peakDuring(server.pid, () => sendTo(server.port, request, 10))
    await Bun.sleep(afterwardsMs)
    const afterwards = residentBytes(server.pid)
    return { target: target.name, bodyBytes, atRest, peakOfFirst, peakOfTen, afterwards }
  } finally {
    await server.stop()
  }
}

async function sendTo(port: number, request: Uint8Array, times: number): Promise<void> {
  const client = await connect(port, request, 1)
  // Bare has no GET /health; its error response serves as well.
  for (let i = 0; i < times; i++) await client.run(0, request === getHealth ? () => {} : checkStatus)
  client.close()
}

/** Peak resident memory during the work: the kernel's high-water mark VmHWM, reset by 5 (proc_pid_clear_refs(5)). */
async function peakDuring(pid: number, work: () => Promise<void>): Promise<number> {
  writeFileSync(`/proc/${pid}/clear_refs`, '5')
  await work()
  const [, kibibytes = '0'] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kibibytes) * 1024
}
