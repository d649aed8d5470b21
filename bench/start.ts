import { connect } from './client.ts'
import { spawnServer } from './server-process.ts'
import { type Spread, spread } from './statistics.ts'
import type { Target } from './targets.ts'

/** Time of a target from exec to its first response, or the reason for its rejection. */
export interface StartTime {
  readonly target: string
  readonly ms?: Spread
  /** One time per round, in ms. */
  readonly times?: readonly number[]
  readonly rejected?: string
}

const request = Buffer.from('GET /ready HTTP/1.1\r\nHost: localhost\r\n\r\n')

/** Poll interval in ms; start times are too long by half of it on average. */
const pollMs = 0.5

const timeoutMs = 10_000

/**
 * Starts the targets in turns, each time in an empty directory, and measures the time from exec to the first response
 * from `/ready` other than 503. (Bare has no such route; its error response counts.) `taskset`, which puts a server on
 * its core, adds the same millisecond to all of them.
 */
export async function measureStarts(
  targets: readonly Target[],
  rounds: number,
  progress: (message: string) => void,
): Promise<StartTime[]> {
  const entries = targets.map((target) => ({ target, times: [] as number[], rejected: '' }))
  for (let round = 0; round < rounds; round++) {
    progress(`start: round ${round + 1} of ${rounds}`)
    for (const entry of entries) {
      if (entry.rejected !== '') continue
      try {
        entry.times.push(await timeStart(entry.target))
      } catch (error) {
        entry.rejected = error instanceof Error ? error.message : String(error)
      }
    }
  }
  return entries.map(({ target, times, rejected }) =>
    rejected === '' ? { target: target.name, ms: spread(times), times } : { target: target.name, rejected },
  )
}

async function timeStart(target: Target): Promise<number> {
  const server = await spawnServer(target)
  try {
    while (!(await isReady(server.port))) {
      if (!server.alive) throw new Error(`exited with code ${await server.exited}`)
      if (performance.now() - server.startedAt > timeoutMs) throw new Error(`not ready after ${timeoutMs} ms`)
      await Bun.sleep(pollMs)
    }
    return performance.now() - server.startedAt
  } finally {
    await server.stop()
  }
}

async function isReady(port: number): Promise<boolean> {
  let ready = false
  try {
    const client = await connect(port, request, 1)
    try {
      await client.run(0, ({ status }) => {
        ready = status !== 503
      })
    } finally {
      client.close()
    }
  } catch {
    // Connection refused or closed during the start: not ready yet.
  }
  return ready
}
