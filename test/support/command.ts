import { root } from './root.ts'

/** How a command ended. */
export interface CommandResult {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
  /** Standard output, then standard error. */
  readonly output: string
}

export interface CommandOptions {
  /** Its whole environment. Default: this process's own. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Default: the project's root. */
  readonly cwd?: string
  readonly stdin?: string
  /** It is killed after this time, in ms. Default: never. */
  readonly timeoutMs?: number
}

/** Runs a command to its end. */
export async function runCommand(
  command: readonly string[],
  { env = process.env, cwd = root, stdin, timeoutMs }: CommandOptions = {},
): Promise<CommandResult> {
  const child = Bun.spawn([...command], {
    env,
    cwd,
    stdin: stdin === undefined ? 'ignore' : new Blob([stdin]),
    stdout: 'pipe',
    stderr: 'pipe',
    ...(timeoutMs === undefined ? {} : { timeout: timeoutMs, killSignal: 'SIGKILL' }),
  })
  const [stdout, stderr, exitCode] = await Promise.all([
    child.stdout.text(),
    child.stderr.text(),
    child.exited,
  ])
  return { exitCode, stdout, stderr, output: stdout + stderr }
}

/**
 * Runs a command that must succeed.
 *
 * @returns its standard output, trimmed
 * @throws Error with its standard error if the exit code is not 0
 */
export async function runSuccessfully(command: readonly string[], options?: CommandOptions): Promise<string> {
  const { exitCode, stdout, stderr } = await runCommand(command, options)
  if (exitCode !== 0) throw new Error(`${command.join(' ')} ended with ${exitCode}: ${stderr.trim()}`)
  return stdout.trim()
}
