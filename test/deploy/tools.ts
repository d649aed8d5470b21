/**
 * Whether a program that a test needs is here. Without it the test is skipped, and this says so; on CI it
 * runs and fails, for there everything can be installed.
 *
 * @param debianPackage where to get it.
 */
export function hasProgram(name: string, debianPackage: string): boolean {
  if (Bun.which(name) !== null || process.env.CI) return true
  console.warn(`${name} is not installed (Debian: ${debianPackage}): its tests are skipped`)
  return false
}

/** Runs a program to its end. */
export async function run(
  command: readonly string[],
  options: { cwd?: string; env?: Record<string, string | undefined> } = {},
): Promise<{ exitCode: number; output: string }> {
  const child = Bun.spawn([...command], {
    cwd: options.cwd ?? root,
    env: options.env ?? process.env,
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const [exitCode, out, err] = await Promise.all([child.exited, child.stdout.text(), child.stderr.text()])
  return { exitCode, output: `${out}${err}` }
}

/** The project's folder. */
export const root = new URL('../..', import.meta.url).pathname
