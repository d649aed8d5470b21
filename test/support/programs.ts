/**
 * Whether a program that a test needs is here. Without it the test is skipped with a message. In CI (`CI=true`) it
 * is an error instead: `.ci/packages.sh` installs everything, and nothing may pass by testing nothing.
 *
 * @param name the program's name, for the search path
 * @param debianPackage where to get it
 * @param found whether it is here. Default: whether the search path has it.
 * @throws Error in CI when it is absent
 */
export function hasProgram(name: string, debianPackage: string, found = Bun.which(name) !== null): boolean {
  if (found) return true
  const message = `${name} is not installed (Debian: ${debianPackage}): its tests are skipped`
  if (process.env.CI === 'true') throw new Error(`${message}, which CI does not accept`)
  console.warn(message)
  return false
}
