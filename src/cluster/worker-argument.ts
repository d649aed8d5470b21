/** The argument that makes a server one of several worker processes on a port. */
export const workerArgument = 'worker-process'

/**
 * True in a process that a supervisor has started.
 *
 * @example isWorkerProcess(process.argv)
 */
export function isWorkerProcess(argv: readonly string[]): boolean {
  return argv.includes(workerArgument)
}
