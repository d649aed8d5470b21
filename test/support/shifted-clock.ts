import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runSuccessfully } from './command.ts'
import { hasProgram, isLinux } from './programs.ts'

/** A wall clock that a test sets, for a server that the test starts. Its monotonic clock stays correct. */
export interface ShiftedClock {
  /** The environment in which to start the server. */
  readonly env: Readonly<Record<string, string>>
  /** @param seconds how far it is ahead of the machine's clock; negative: behind */
  shift(seconds: number): Promise<void>
  remove(): Promise<void>
}

/**
 * Whether a clock can be shifted here. This needs a C compiler: libfaketime does not work with Redis, whose allocator
 * asks for the time before libfaketime is ready.
 */
export function canShiftClock(): boolean {
  return isLinux() && hasProgram('cc', 'gcc and libc6-dev')
}

/** @throws Error if the library cannot be compiled */
export async function createShiftedClock(): Promise<ShiftedClock> {
  const home = await mkdtemp(join(tmpdir(), 'tally-clock-'))
  const library = join(home, 'shifted-clock.so')
  const offset = join(home, 'offset')
  await writeFile(offset, '0')
  const source = join(import.meta.dir, 'shifted-clock.c')
  await runSuccessfully(['cc', '-shared', '-fPIC', '-O1', '-o', library, source])
  return {
    env: { LD_PRELOAD: library, CLOCK_OFFSET_FILE: offset },
    shift: (seconds) => writeFile(offset, `${seconds}`),
    remove: () => rm(home, { recursive: true, force: true }),
  }
}
