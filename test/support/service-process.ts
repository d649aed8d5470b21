import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** One line of a service's log. */
export interface LogLine {
  readonly level: string
  readonly msg: string
  readonly [field: string]: unknown
}

/** A service as a process of its own. Disposing of it kills it when it still lives. */
export interface ServiceProcess extends AsyncDisposable {
  readonly port: number
  /** Every line that it has written so far. */
  readonly lines: readonly LogLine[]
  /** The first line with that message; waits for it when there is none yet. Rejects when none comes. */
  line(msg: string): Promise<LogLine>
  /** Waits for the end of the process and of its log. */
  readonly exited: Promise<number>
  signal(name: NodeJS.Signals): void
}

export interface ServiceOptions {
  readonly program?: string
  readonly env?: Readonly<Record<string, string>>
}

const root = join(import.meta.dir, '../..')

/** Starts a program of ours without waiting for anything. Its environment is only what is given. */
export async function spawnService({ program = 'src/main.ts', env = {} }: ServiceOptions = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'tally-'))
  const child = Bun.spawn([process.execPath, program], {
    cwd: root,
    env: { PATH: process.env.PATH ?? '', HOST: '127.0.0.1', PORT: '0', DATA_DIR: folder, ...env },
    stdout: 'pipe',
    stderr: 'pipe',
  })
  return {
    child,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await child.exited
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/**
 * Starts a program of ours and waits until it says on which port it listens.
 *
 * @throws with what it wrote to stderr when it ends before
 */
export async function startService(options: ServiceOptions = {}): Promise<ServiceProcess> {
  const spawned = await spawnService(options)
  const { child } = spawned
  const lines: LogLine[] = []
  const awaited = new Map<string, PromiseWithResolvers<LogLine>>()
  const awaitLine = (msg: string): Promise<LogLine> => {
    const written = lines.find((line) => line.msg === msg)
    if (written !== undefined) return Promise.resolve(written)
    const waiting = awaited.get(msg) ?? Promise.withResolvers<LogLine>()
    awaited.set(msg, waiting)
    return waiting.promise
  }
  const listening = awaitLine('listening')
  const read = (async () => {
    for await (const text of textLines(child.stdout)) {
      const line: LogLine = JSON.parse(text)
      lines.push(line)
      awaited.get(line.msg)?.resolve(line)
    }
    const stderr = await new Response(child.stderr).text()
    for (const [msg, { reject }] of awaited) reject(new Error(`ended without saying "${msg}": ${stderr}`))
  })()
  return {
    port: Number(new URL(String((await listening).url)).port),
    lines,
    line: awaitLine,
    exited: Promise.all([child.exited, read]).then(([code]) => code),
    signal: (name) => child.kill(name),
    [Symbol.asyncDispose]: spawned[Symbol.asyncDispose],
  }
}

async function* textLines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of stream) {
    const pieces = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = pieces.pop() ?? ''
    yield* pieces
  }
  if (rest !== '') throw new Error(`a line was cut: ${rest}`)
}
