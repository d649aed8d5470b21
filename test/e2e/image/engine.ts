import { join } from 'node:path'

/** What a command printed and how it ended. */
export interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** A container engine that answers: Docker or Podman. */
export interface Engine {
  readonly isPodman: boolean
  /** Runs one command of the engine to its end, whatever that is. */
  try(...args: string[]): Promise<Ended>
  /**
   * Runs one command of the engine and gives what it printed, trimmed.
   *
   * @throws Error with the engine's own words when it fails
   */
  run(...args: string[]): Promise<string>
}

const root = join(import.meta.dir, '../../..')

/**
 * Finds the engine as `engine.sh` does. Without one the tests that need it are left out with a line that
 * prints that; in CI (`CI=true`) that is a failure instead, so that nothing passes by testing nothing.
 *
 * @throws Error in CI when no engine answers
 */
export async function findEngine(): Promise<Engine | undefined> {
  const found = await execute(['deploy/docker/engine.sh'])
  if (found.code !== 0) {
    if (process.env.CI === 'true') throw new Error(found.stderr)
    console.warn(`${found.stderr.trim()} The tests of the image are left out.`)
    return undefined
  }
  const command = found.stdout.trim().split(' ')
  return {
    isPodman: found.stdout.includes('podman'),
    try: (...args) => execute([...command, ...args]),
    run: (...args) => succeed([...command, ...args]),
  }
}

/**
 * Runs a script of this repository and gives what it printed on stdout, trimmed.
 *
 * @throws Error with what it printed on stderr when it fails
 */
export function script(path: string, args: string[], env: Record<string, string> = {}): Promise<string> {
  return succeed([path, ...args], env)
}

async function succeed(command: string[], env: Record<string, string> = {}): Promise<string> {
  const { code, stdout, stderr } = await execute(command, env)
  if (code !== 0) throw new Error(`${command.join(' ')} ended with ${code}:\n${stdout}${stderr}`)
  return stdout.trim()
}

async function execute(command: string[], env: Record<string, string> = {}): Promise<Ended> {
  const child = Bun.spawn(command, {
    cwd: root,
    env: { ...process.env, ...env },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  return { code, stdout, stderr }
}
