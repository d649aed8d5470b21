import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../test/support/free-ports.ts'
import { onServerCore } from './cores.ts'
import type { Target } from './targets.ts'

/** A target that runs and accepts connections. */
export interface ServerProcess {
  readonly target: Target
  readonly pid: number
  readonly port: number
  /** Ends it, by force when it does not go. */
  stop(): Promise<void>
}

/** A target that has been started; whether it listens yet is not known. */
interface StartedProcess extends ServerProcess {
  /** When it was started, on the clock of `performance.now()`. */
  readonly startedAt: number
  /** @throws Error when it has ended. */
  checkAlive(): void
}

/** How long a target may take to accept connections, in ms. */
const startTimeoutMs = 10_000

/** How long it may take to end before it is killed, in ms. */
const stopTimeoutMs = 3_000

/**
 * Starts a target on the server's core and waits until it accepts connections.
 *
 * @throws Error when it ends, or has not listened in time.
 */
export async function startServer(target: Target): Promise<ServerProcess> {
  const server = await spawnServer(target)
  try {
    await untilItListens(server)
  } catch (error) {
    await server.stop()
    throw error
  }
  return server
}

/**
 * Starts a target on the server's core, in an empty directory of its own. What it logs goes to /dev/null, the same
 * for all: the cost of writing is measured, that of whoever reads it is not.
 */
export async function spawnServer(target: Target): Promise<StartedProcess> {
  const port = freePort()
  const directory = await mkdtemp(join(tmpdir(), 'tally-bench-'))
  const startedAt = performance.now()
  const child = Bun.spawn(onServerCore(target.command), {
    cwd: directory,
    // Nothing else of this environment: a variable set in somebody's shell must not change a figure.
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...target.env, PORT: String(port) },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const kill = (): void => child.kill('SIGKILL')
  process.once('exit', kill)
  return {
    target,
    pid: child.pid,
    port,
    startedAt,
    checkAlive() {
      if (child.exitCode !== null) throw new Error(`ended with exit code ${child.exitCode}`)
    },
    async stop() {
      const timer = setTimeout(kill, stopTimeoutMs)
      child.kill('SIGTERM')
      await child.exited
      clearTimeout(timer)
      process.off('exit', kill)
      await rm(directory, { recursive: true, force: true })
    },
  }
}

async function untilItListens(server: StartedProcess): Promise<void> {
  const deadline = performance.now() + startTimeoutMs
  while (!(await accepts(server.port))) {
    server.checkAlive()
    if (performance.now() > deadline) throw new Error(`does not listen after ${startTimeoutMs} ms`)
    await Bun.sleep(10)
  }
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
