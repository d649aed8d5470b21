/** The signals that a caller of this process may have asked it to ignore, with their numbers on Linux. */
const numbers = { SIGHUP: 1, SIGINT: 2 } as const

/**
 * Reads which signals this process inherited as ignored. `nohup` ignores SIGHUP, and a shell without job control ignores
 * SIGINT for background jobs. By convention a program leaves such a signal ignored.
 *
 * Call it before the first handler of these signals is installed: a handler replaces what was inherited.
 *
 * @returns none where /proc does not say, such as on other systems than Linux
 */
export async function readIgnoredSignals(): Promise<ReadonlySet<string>> {
  // Not by node:fs, which would delay every start.
  const status = await Bun.file('/proc/self/status')
    .text()
    .catch(() => '')
  return parseIgnoredSignals(status)
}

/**
 * The ignored signals in the text of /proc/PID/status: bit n - 1 of the mask `SigIgn` is signal n.
 *
 * @example parseIgnoredSignals('SigIgn:\t0000000000001001\n') // Set { 'SIGHUP' }
 */
export function parseIgnoredSignals(status: string): ReadonlySet<string> {
  const mask = BigInt(`0x${/^SigIgn:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`)
  const isSet = (number: number): boolean => ((mask >> BigInt(number - 1)) & 1n) === 1n
  return new Set(Object.entries(numbers).flatMap(([name, number]) => (isSet(number) ? [name] : [])))
}
