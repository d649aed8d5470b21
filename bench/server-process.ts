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

/** How long a target may take to accept connections, in ms. */
const startTimeoutMs = 10_000

/** How long it may take to end before it is killed, in ms. */
const stopTimeoutMs = 3_000

/**
 * Starts a target on the server's core and waits until it accepts connections. What it logs goes to
 * /dev/null, the same for all: the cost of writing is measured, that of whoever reads it is not.
 *
 * @throws Error when it ends, or has not listened in time.
 */
export async function startServer(target: Target): Promise<ServerProcess> {
  const port = freePort()
  const child = Bun.spawn(onServerCore(target.command), {
    // Nothing else of this environment: a variable set in somebody's shell must not change a figure.
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...target.env, PORT: String(port) },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const kill = (): void => child.kill('SIGKILL')
  process.once('exit', kill)
  const stop = async (): Promise<void> => {
    const timer = setTimeout(kill, stopTimeoutMs)
    child.kill('SIGTERM')
    await child.exited
    clearTimeout(timer)
    process.off('exit', kill)
  }
  try {
    await untilItListens(port, child)
  } catch (error) {
    await stop()
    throw error
  }
  return { target, pid: child.pid, port, stop }
}

/**
 * A port that nobody listens on, below those that the kernel gives to outgoing connections: one of them could
 * take it before the target does, even the very connection that asks whether the target listens.
 */
function freePort(): number {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000)
    try {
      Bun.listen({ hostname: '127.0.0.1', port, socket: { data() {} } }).stop(true)
      return port
    } catch {
      // Taken: another one.
    }
  }
}

async function untilItListens(port: number, child: Bun.Subprocess): Promise<void> {
  const deadline = performance.now() + startTimeoutMs
  while (!(await accepts(port))) {
    if (child.exitCode !== null) throw new Error(`ended with exit code ${child.exitCode}`)
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
