import { type CommandResult, runCommand, runSuccessfully } from '../../support/command.ts'

/** A working container engine: Docker or Podman. */
export interface Engine {
  readonly isPodman: boolean
  /** Runs one command of the engine to its end. */
  try(...args: string[]): Promise<CommandResult>
  /**
   * Runs one command of the engine and returns its trimmed output.
   *
   * @throws Error with the engine's message if it fails
   */
  run(...args: string[]): Promise<string>
}

/**
 * Finds the engine like `engine.sh`. Without one, the tests that need it are skipped with a message; in CI (`CI=true`)
 * they fail, so that nothing passes untested.
 *
 * @throws Error in CI if no engine works
 */
export async function findEngine(): Promise<Engine | undefined> {
  const found = await runCommand(['deploy/docker/engine.sh'])
  if (found.exitCode !== 0) {
    if (process.env.CI === 'true') throw new Error(found.stderr)
    console.warn(`${found.stderr.trim()} The tests of the image are left out.`)
    return undefined
  }
  const command = found.stdout.trim().split(' ')
  return {
    isPodman: found.stdout.includes('podman'),
    try: (...args) => runCommand([...command, ...args]),
    run: (...args) => runSuccessfully([...command, ...args]),
  }
}

/**
 * Runs a script of this repository and returns its trimmed standard output.
 *
 * @throws Error with its standard error if it fails
 */
export function script(path: string, args: string[], env: Record<string, string> = {}): Promise<string> {
  return runSuccessfully([path, ...args], { env: { ...process.env, ...env } })
}
