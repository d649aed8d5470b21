import { withTimeout } from '../../src/lifecycle/timeout.ts'

/** One line of a service's log. */
export interface LogLine {
  readonly level: string
  readonly msg: string
  readonly [field: string]: unknown
}

/** What a process has written so far. Empty if its output does not go to memory. */
export interface ProcessLog {
  /** Standard output, then standard error. */
  readonly text: string
  /** The complete lines of standard output. */
  readonly texts: readonly string[]
  /** Those of the lines that are JSON, parsed. */
  readonly lines: readonly LogLine[]
  /**
   * The first line with a message; waits for it if necessary.
   *
   * @throws Error with the output if the process ends without it or half a minute passes
   */
  line(msg: string): Promise<LogLine>
}

export interface ChildOptions {
  readonly command: readonly string[]
  /**
   * Its whole environment besides PATH and HOME: a variable of a developer's shell must not change a test or a figure.
   */
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /**
   * Where its output goes: to `log` (the default), nowhere, or to a file, with standard error in `<file>.err`. Use a
   * file for large output that is read at the end.
   */
  readonly output?: 'memory' | 'ignore' | { readonly file: string }
  /** Starts a new process group, so that Ctrl-C reaches only this process, which then ends the others in order. */
  readonly detached?: boolean
}

/** A process that cannot outlive this one. Disposing of it kills it. */
export interface Child extends AsyncDisposable {
  readonly pid: number
  /** Whether it is still running. */
  readonly alive: boolean
  readonly log: ProcessLog
  /** Its exit code, once the process and its log have ended; 128 + n after signal n. */
  readonly exited: Promise<number>
  signal(name: NodeJS.Signals): void
  /**
   * Sends SIGTERM; resolves with the exit code: 137 if it had to be killed.
   *
   * @param timeoutMs when to kill it. Default: after a minute.
   */
  stop(timeoutMs?: number): Promise<number>
  /** Sends SIGKILL; resolves when it is gone. */
  kill(): Promise<void>
}

/** How long a stop may take before the process is killed, in ms. */
const stopTimeoutMs = 60_000
/** How long a line of the log may take on a loaded machine, in ms. */
const lineTimeoutMs = 30_000
/** Maximum length of a quoted log, in characters. */
const maxQuote = 20_000

const running = new Set<Bun.Subprocess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/**
 * Starts a program. It is killed when this process exits; `bun --no-orphans`, which the scripts of package.json use,
 * also covers a kill -9 of this process.
 */
export function spawnChild({ command, env = {}, cwd, output = 'memory', detached }: ChildOptions): Child {
  const { PATH, HOME } = process.env
  const [stdout, stderr] =
    typeof output === 'object'
      ? [Bun.file(output.file), Bun.file(`${output.file}.err`)]
      : output === 'ignore'
        ? (['ignore', 'inherit'] as const)
        : (['pipe', 'pipe'] as const)
  const child = Bun.spawn([...command], {
    env: { PATH, HOME, ...env },
    ...(cwd === undefined ? {} : { cwd }),
    ...(detached === undefined ? {} : { detached }),
    stdin: 'ignore',
    stdout,
    stderr,
  })
  running.add(child)
  const log = new MemoryLog()
  const exited = Promise.all([
    child.exited,
    child.stdout instanceof ReadableStream && log.readOutput(child.stdout),
    child.stderr instanceof ReadableStream && log.readErrors(child.stderr),
  ]).then(([exitCode]) => {
    running.delete(child)
    log.end(child.signalCode === 'SIGKILL')
    return exitCode
  })
  // Some callers do not wait for the end.
  exited.catch(() => {})
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL')
    await child.exited
  }
  return {
    pid: child.pid,
    get alive() {
      return child.exitCode === null && child.signalCode === null
    },
    log,
    exited,
    signal: (name) => child.kill(name),
    async stop(timeoutMs = stopTimeoutMs) {
      child.kill('SIGTERM')
      const insist = setTimeout(() => child.kill('SIGKILL'), timeoutMs)
      return await exited.finally(() => clearTimeout(insist))
    },
    kill,
    [Symbol.asyncDispose]: kill,
  }
}

/** The output of a process, kept in memory. */
class MemoryLog implements ProcessLog {
  readonly texts: string[] = []
  readonly #lines: LogLine[] = []
  readonly #awaited = new Map<string, PromiseWithResolvers<LogLine>>()
  #parsed = 0
  #rest = ''
  #errors = ''
  #ended = false

  get text(): string {
    return [...this.texts, this.#rest + this.#errors].join('\n')
  }

  /** Parsed on demand: the log of a service under load is long, and most tests do not read it. */
  get lines(): readonly LogLine[] {
    for (; this.#parsed < this.texts.length; this.#parsed++) {
      const text = this.texts[this.#parsed] as string
      if (text.startsWith('{')) this.#lines.push(JSON.parse(text))
    }
    return this.#lines
  }

  async line(msg: string): Promise<LogLine> {
    const written = this.lines.find((line) => line.msg === msg)
    if (written !== undefined) return written
    if (this.#ended) throw this.#missing(msg)
    const awaited = this.#awaited.get(msg) ?? Promise.withResolvers<LogLine>()
    this.#awaited.set(msg, awaited)
    return await withTimeout(awaited.promise, lineTimeoutMs, () => {
      throw this.#missing(msg)
    })
  }

  async readOutput(stream: ReadableStream<Uint8Array>): Promise<void> {
    for await (const chunk of decode(stream)) {
      const pieces = (this.#rest + chunk).split('\n')
      this.#rest = pieces.pop() as string
      this.texts.push(...pieces)
      for (const [msg, { resolve }] of this.#awaited) {
        const text = pieces.find((piece) => piece.includes(`"msg":${JSON.stringify(msg)}`))
        if (text !== undefined) resolve(JSON.parse(text))
      }
    }
  }

  async readErrors(stream: ReadableStream<Uint8Array>): Promise<void> {
    for await (const chunk of decode(stream)) this.#errors += chunk
  }

  /** @throws Error if a line is truncated although the process was not killed: a service writes its log completely */
  end(killed: boolean): void {
    this.#ended = true
    for (const [msg, { reject }] of this.#awaited) reject(this.#missing(msg))
    if (this.#rest !== '' && !killed) throw new Error(`the last line was cut: ${this.#rest}`)
  }

  #missing(msg: string): Error {
    return new Error(`no line "${msg}" in the log:\n${this.text.slice(-maxQuote)}`)
  }
}

async function* decode(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  for await (const chunk of stream) yield decoder.decode(chunk, { stream: true })
}
