import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

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
  if (process.platform === 'linux' && Bun.which('cc') !== null) return true
  console.warn('A C compiler is not installed (cc): the tests with a shifted clock are left out')
  return false
}

/** @throws Error if the library cannot be compiled */
export async function createShiftedClock(): Promise<ShiftedClock> {
  const home = await mkdtemp(join(tmpdir(), 'tally-clock-'))
  const library = join(home, 'shifted-clock.so')
  const offset = join(home, 'offset')
  await writeFile(offset, '0')
  const source = join(import.meta.dir, 'shifted-clock.c')
  const compiler = Bun.spawn({
    cmd: ['cc', '-shared', '-fPIC', '-O1', '-o', library, source],
    stderr: 'pipe',
  })
  if ((await compiler.exited) !== 0)
    throw new Error(`the clock was not compiled: ${await new Response(compiler.stderr).text()}`)
  return {
    env: { LD_PRELOAD: library, CLOCK_OFFSET_FILE: offset },
    shift: (seconds) => writeFile(offset, `${seconds}`),
    remove: () => rm(home, { recursive: true, force: true }),
  }
}
