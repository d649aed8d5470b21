/**
 * Measures the memory of a server by request size, for docs/capacity.md: `bun bench/capacity.ts`. Each size has a
 * separate process, with two analysis threads as in k8s/, and clients that send without a pause for SECONDS (10).
 */
import { readFileSync } from 'node:fs'
import { startService } from '../test/support/service.ts'
import { tableOf } from '../tools/markdown.ts'
import { describeMachine } from './machine.ts'

const seconds = Number(process.env.SECONDS ?? 10)

interface Load {
  readonly name: string
  /** Of 20 bytes each, as JSON. */
  readonly numbers: number
  readonly clients: number
}

const loads: readonly Load[] = [
  { name: 'none', numbers: 0, clients: 0 },
  { name: '1 kB', numbers: 50, clients: 64 },
  { name: '20 kB', numbers: 1_000, clients: 32 },
  { name: '200 kB', numbers: 10_000, clients: 16 },
  { name: '2 MB', numbers: 100_000, clients: 8 },
  { name: '20 MB', numbers: 1_000_000, clients: 4 },
  { name: '20 MB', numbers: 1_000_000, clients: 16 },
]

/** The peak memory of a process, in bytes (VmHWM of proc_pid_status(5)). */
function peakBytes(pid: number): number {
  const [, kibibytes = '0'] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kibibytes) * 1_024
}

const mebibytes = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`

async function measure({ name, numbers, clients }: Load): Promise<string[]> {
  await using service = await startService({ env: { ANALYSIS_THREADS: '2', ACCESS_LOG: 'false' } })
  const body = JSON.stringify({
    numbers: Array.from({ length: numbers }, () => Math.random() * 1e6),
    text: 'Some text.',
  })
  const end = performance.now() + seconds * 1_000
  let answered = 0
  let refused = 0
  const client = async (): Promise<void> => {
    while (performance.now() < end) {
      const response = await fetch(`${service.url}/payload`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      })
      await response.arrayBuffer()
      if (response.status === 200) answered++
      else refused++
    }
  }
  if (clients === 0) await Bun.sleep(seconds * 1_000)
  else await Promise.all(Array.from({ length: clients }, client))
  return [name, `${clients}`, `${answered}`, `${refused}`, mebibytes(peakBytes(service.pid))]
}

console.log(`${JSON.stringify(describeMachine())}\n`)
const rows: string[][] = []
for (const load of loads) rows.push(await measure(load))
console.log(tableOf(['payload', 'clients', 'answered', 'refused (503)', 'most memory'], rows))
