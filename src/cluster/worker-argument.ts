/** The argument that makes a server one of several worker processes on a port. Its number follows. */
const workerArgument = 'worker-process'

/** The arguments of a worker process: from 1, the lowest number that no other process has. */
export function workerArguments(number: number): string[] {
  return [workerArgument, String(number)]
}

/**
 * The number of a process that a supervisor has started; undefined for any other process.
 *
 * @example findWorkerNumber(['bun', 'main.ts', 'worker-process', '2']) // 2
 */
export function findWorkerNumber(argv: readonly string[]): number | undefined {
  const index = argv.indexOf(workerArgument)
  return index === -1 ? undefined : Number(argv[index + 1])
}
