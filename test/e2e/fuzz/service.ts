import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { residentBytes } from '../../../bench/resident-memory.ts'
import { freePort } from '../../support/free-ports.ts'
import { until } from '../rollout/until.ts'

const root = resolve(import.meta.dir, '../../..')

/** The service as a process of its own, with a database of its own. */
export interface Service {
  readonly url: string
  readonly port: number
  /** Resident memory, in MiB. */
  memoryMiB(): number
  /** Whether it still runs. */
  readonly alive: boolean
  /** What it wrote so far. */
  log(): Promise<string>
  /** SIGTERM; its exit code, or null when it had to be killed after 30 s. */
  stop(): Promise<number | null>
}

const stopMsMax = 30_000

/** Starts the service and waits until it is ready. What is not given in `env` has its default. */
export async function startService(env: Readonly<Record<string, string>> = {}): Promise<Service> {
  const port = freePort()
  const directory = await mkdtemp(join(tmpdir(), 'tally-fuzz-'))
  const logFile = join(directory, 'log')
  const child = Bun.spawn([process.execPath, join(root, 'src/main.ts')], {
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      HOST: '127.0.0.1',
      PORT: String(port),
      DATA_DIR: join(directory, 'data'),
      DRAIN_QUIET: '1s',
      ...env,
    },
    stdin: 'ignore',
    stdout: Bun.file(logFile),
    stderr: Bun.file(`${logFile}.err`),
  })
  const kill = (): void => child.kill('SIGKILL')
  process.once('exit', kill)
  const url = `http://127.0.0.1:${port}`
  await until('the service to be ready', 30_000, async () => (await fetch(`${url}/ready`)).ok)
  return {
    url,
    port,
    memoryMiB: () => residentMiB(child.pid),
    get alive() {
      return child.exitCode === null && child.signalCode === null
    },
    log: () => Bun.file(logFile).text(),
    async stop() {
      child.kill('SIGTERM')
      const insist = setTimeout(kill, stopMsMax)
      await child.exited
      clearTimeout(insist)
      process.off('exit', kill)
      await rm(directory, { recursive: true, force: true })
      return child.signalCode === null ? child.exitCode : null
    },
  }
}

/** NaN for a process that is gone. */
function residentMiB(pid: number): number {
  try {
    return residentBytes(pid) / 2 ** 20
  } catch {
    return Number.NaN
  }
}
