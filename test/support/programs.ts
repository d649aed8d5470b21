/**
 * Whether a program that a test needs exists. Without it the test is skipped with a message. In CI (`CI=true`) it is an
 * error instead: `.ci/packages.sh` installs everything, and nothing may pass untested.
 *
 * @param name the program's name on the PATH
 * @param debianPackage the package that contains it
 * @param found whether it exists. Default: whether it is on the PATH.
 * @throws Error in CI if it is absent
 */
export function hasProgram(name: string, debianPackage: string, found = Bun.which(name) !== null): boolean {
  if (found) return true
  const message = `${name} is not installed (Debian: ${debianPackage}): its tests are skipped`
  if (process.env.CI === 'true') throw new Error(`${message}, which CI does not accept`)
  console.warn(message)
  return false
}

/** Whether this is Linux, whose /proc, signals and sockets some tests need. Elsewhere they are skipped with a message. */
export function isLinux(): boolean {
  if (process.platform === 'linux') return true
  console.warn('this is not Linux: the tests that need it are skipped')
  return false
}

/** Whether root runs the tests, which some of them need. Without it they are skipped with a message. */
export function isRoot(): boolean {
  if (process.getuid?.() === 0) return true
  console.warn('this user is not root: the tests that need it are skipped')
  return false
}
