import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Child, spawnChild } from '../test/support/child-process.ts'
import { freePort } from '../test/support/free-ports.ts'
import { Impossible, until } from '../test/support/until.ts'
import { onServerCore } from './cores.ts'
import type { Target } from './targets.ts'

/** A started target; it may not listen yet. */
export interface ServerProcess extends Child {
  readonly target: Target
  readonly port: number
  /** Start time on the clock of `performance.now()`. */
  readonly startedAt: number
}

/** Time limit for a target to accept connections, in ms. */
const startTimeoutMs = 10_000

/** Time limit for a target to exit before it is killed, in ms. */
const stopTimeoutMs = 3_000

/**
 * Starts a target on the server's core and waits until it accepts connections.
 *
 * @throws Error when it exits or does not listen in time.
 */
export async function startServer(target: Target): Promise<ServerProcess> {
  const server = await spawnServer(target)
  try {
    await until(
      async () => {
        if (!server.alive) throw new Impossible(`${target.name} exited with code ${await server.exited}`)
        return await accepts(server.port)
      },
      { what: `${target.name} to listen`, timeoutMs: startTimeoutMs, intervalMs: 10 },
    )
    return server
  } catch (error) {
    await server.stop()
    throw error
  }
}

/**
 * Starts a target on the server's core, in its own empty folder. Discards its log: the measurement includes the
 * cost of writing but not of reading.
 */
export async function spawnServer(target: Target): Promise<ServerProcess> {
  const port = freePort()
  const folder = await mkdtemp(join(tmpdir(), 'tally-bench-'))
  const startedAt = performance.now()
  const child = spawnChild({
    command: onServerCore(target.command),
    cwd: folder,
    env: { ...target.env, PORT: String(port) },
    output: 'ignore',
  })
  const { stop } = child
  return Object.assign(child, {
    target,
    port,
    startedAt,
    async stop() {
      const exitCode = await stop(stopTimeoutMs)
      await rm(folder, { recursive: true, force: true })
      return exitCode
    },
  })
}

async function accepts(port: number): Promise<boolean> {
  try {
    const socket = await Bun.connect({ hostname: '127.0.0.1', port, socket: { data() {} } })
    socket.end()
    return true
  } catch {
    return false
  }
}
