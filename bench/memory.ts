import { readFileSync, writeFileSync } from 'node:fs'
import { connect } from './client.ts'
import { checkStatus } from './expected.ts'
import type { Finding } from './finding.ts'
import { residentBytes } from './resident-memory.ts'
import { type ServerProcess, startServer } from './server-process.ts'
import type { Target } from './targets.ts'
import { getHealth, payloadWorkloads, type Workload } from './workloads.ts'

/** The resident memory of a server before, during and after huge payloads, in bytes. */
export interface MemoryUse {
  readonly target: string
  /** Of the huge payload. */
  readonly bodyBytes: number
  /** After a second without work, a few small requests answered. */
  readonly atRest: number
  /** The most while the first huge payload was answered. */
  readonly peakOfFirst: number
  /** The most while ten more were answered, one after another. */
  readonly peakOfTen: number
  /** Ten seconds later. */
  readonly afterwards: number
}

const restMs = 1_000
const afterwardsMs = 10_000

/** Measures row 9 of the goals, target by target. */
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

/** Row 9 of the table of goals: the target by that name beside bare. */
export function findingOfMemory(
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

/** The resident memory of a fresh server after a second without work, a few small requests answered, in bytes. */
export async function measureAtRest(target: Target): Promise<number> {
  const server = await startServer(target)
  try {
    return await atRestOf(server)
  } finally {
    await server.stop()
  }
}

async function atRestOf({ port, pid }: ServerProcess): Promise<number> {
  await sendTo(port, getHealth, 3)
  await Bun.sleep(restMs)
  return residentBytes(pid)
}

async function measureTarget(target: Target, { request, bodyBytes }: Workload): Promise<MemoryUse> {
  const server = await startServer(target)
  try {
    const atRest = await atRestOf(server)
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
  // Bare refuses GET /health, and that is good enough to have been asked.
  for (let i = 0; i < times; i++) await client.run(0, request === getHealth ? () => {} : checkStatus)
  client.close()
}

/** The most that a process had in memory meanwhile: the kernel's own mark (VmHWM), which 5 sets back (proc_pid_clear_refs(5)). */
async function peakDuring(pid: number, work: () => Promise<void>): Promise<number> {
  writeFileSync(`/proc/${pid}/clear_refs`, '5')
  await work()
  const [, kibibytes = '0'] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kibibytes) * 1024
}
