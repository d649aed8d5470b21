import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { withTimeout } from '../../src/lifecycle/timeout.ts'
import { type Child, type LogLine, spawnChild } from './child-process.ts'
import { root } from './root.ts'
import { Impossible, until } from './until.ts'

export interface ServiceOptions {
  /** A program: a path from the project's root, or an absolute one. Default: `src/main.ts`. */
  readonly program?: string
  /** A command that executes the program, such as `setpriv …`. */
  readonly by?: readonly string[]
  /** Its settings besides a free loopback port and an empty data folder. */
  readonly env?: Readonly<Record<string, string>>
  /** Writes its log to this file instead of `log`: for services under load, whose log is read at the end. */
  readonly logFile?: string
}

/** A ready service in a separate process. Disposing of it kills it and removes its data folder. */
export interface Service extends Child {
  readonly url: string
  readonly port: number
}

/** How long a start may take on a loaded machine, in ms. */
const startTimeoutMs = 30_000

/**
 * A folder with the bundle of the image, from which services start instead of from `src/`: a whole run of the tests sets
 * it. A bundle starts with half of the work, and it is what production runs.
 */
const bundleVariable = 'TEST_BUNDLE'

/** Settings of a service without a drain window: for tests of other behavior. */
export const noDrainWindow = { DRAIN_MAX: '0s' }

/** Starts one of our programs without waiting for anything. */
export async function spawnService({ program, by = [], env, logFile }: ServiceOptions = {}): Promise<Child> {
  const folder = env?.DATA_DIR === undefined ? await mkdtemp(join(tmpdir(), 'tally-service-')) : undefined
  const child = spawnChild({
    command: [...by, process.execPath, programFile(program)],
    env: { HOST: '127.0.0.1', PORT: '0', WORKER_PORT: '0', ...(folder && { DATA_DIR: folder }), ...env },
    cwd: root,
    ...(logFile === undefined ? {} : { output: { file: logFile } }),
  })
  return Object.assign(child, {
    async [Symbol.asyncDispose]() {
      await child.kill()
      if (folder !== undefined) await rm(folder, { recursive: true, force: true, maxRetries: 5 })
    },
  })
}

/**
 * The file of a program: from the bundle if the run has one, otherwise the source.
 *
 * @param program as in `ServiceOptions`
 */
export function programFile(program = 'src/main.ts'): string {
  if (isAbsolute(program)) return program
  const bundle = process.env[bundleVariable]
  const [, name] = /^src\/(main|worker|migrate)\.ts$/.exec(program) ?? []
  return bundle === undefined || name === undefined ? join(root, program) : join(bundle, `${name}.js`)
}

/**
 * Starts one of our programs and waits until it is ready: then it logs the address at which it listens.
 *
 * @throws Error with its output if it ends instead or takes too long
 */
export async function startService(options: ServiceOptions = {}): Promise<Service> {
  const { logFile } = options
  const child = await spawnService(options)
  try {
    const listening =
      logFile === undefined ? child.log.line('listening') : lineInFile(logFile, 'listening', child)
    const { origin, port } = new URL(String((await listening).url))
    return Object.assign(child, { url: origin, port: Number(port) })
  } catch (error) {
    await child[Symbol.asyncDispose]()
    throw error
  }
}

/** Runs one of our programs that ends by itself, such as a service that rejects its configuration. */
export async function runService(options: ServiceOptions): Promise<{ exitCode: number; output: string }> {
  await using child = await spawnService(options)
  const exitCode = await withTimeout(child.exited, startTimeoutMs, () => {
    throw new Error(`it did not end:\n${child.log.text}`)
  })
  return { exitCode, output: child.log.text }
}

function lineInFile(file: string, msg: string, child: Child): Promise<LogLine> {
  return until(
    async () => {
      const { alive } = child
      const text = await Bun.file(file).text()
      const line = text.split('\n').find((candidate) => candidate.includes(`"msg":"${msg}"`))
      if (line !== undefined) return JSON.parse(line) as LogLine
      if (!alive) throw new Impossible(`ended without a line "${msg}"; see ${file} and ${file}.err`)
      return undefined
    },
    { what: `a line "${msg}" in ${file}`, timeoutMs: startTimeoutMs },
  )
}
