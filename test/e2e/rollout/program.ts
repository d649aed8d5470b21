/** A program of the platform (instance, balancer, Prometheus) as a child of this process. */
export interface RunningProgram {
  readonly name: string
  readonly logFile: string
  readonly exited: Promise<number>
  signal(signal: NodeJS.Signals): void
}

/** Everything started here and not yet gone: the harness must leave nothing behind, however it ends. */
const running = new Set<Bun.Subprocess>()

/**
 * Starts a program; what it writes goes to `logFile`.
 *
 * @param env the whole environment besides PATH and HOME: settings given to the harness must not reach it.
 */
export function startProgram(options: {
  name: string
  command: readonly string[]
  env?: Readonly<Record<string, string>>
  logFile: string
}): RunningProgram {
  const { name, command, env = {}, logFile } = options
  const { PATH, HOME } = process.env
  const child = Bun.spawn([...command], {
    env: { PATH, HOME, ...env },
    stdin: 'ignore',
    stdout: Bun.file(logFile),
    stderr: Bun.file(`${logFile}.err`),
    // A group of its own: Ctrl-C reaches the harness only, which then ends everything itself.
    detached: true,
  })
  running.add(child)
  const exited = child.exited.then((code) => {
    running.delete(child)
    return code
  })
  return { name, logFile, exited, signal: (signal) => void child.kill(signal) }
}

/** Ends at once whatever still runs. */
export function endEverything(): void {
  for (const child of running) child.kill('SIGKILL')
}
