import type { Clock } from '../../src/lifecycle/index.ts'

/** A clock that stands still until a test advances it. */
export interface FakeClock extends Clock {
  /** Advances by `ms` milliseconds. Every sleeper wakes at its own time, in order. */
  advance(ms: number): Promise<void>
  /** Number of sleeps that have not ended. */
  readonly sleeping: number
}

interface Sleeper {
  readonly wakeAt: number
  readonly wake: () => void
}

/**
 * Creates a clock that starts at 0.
 *
 * @example
 * const clock = createFakeClock()
 * const slept = clock.sleep(100)
 * await clock.advance(100) // resolves `slept`
 */
export function createFakeClock(): FakeClock {
  let now = 0
  const sleepers = new Set<Sleeper>()

  const nextSleeper = (end: number): Sleeper | undefined =>
    [...sleepers].filter(({ wakeAt }) => wakeAt <= end).sort((a, b) => a.wakeAt - b.wakeAt)[0]

  return {
    now: () => now,
    get sleeping() {
      return sleepers.size
    },
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        const wake = (): void => {
          sleepers.delete(sleeper)
          resolve()
        }
        const sleeper: Sleeper = { wakeAt: now + ms, wake }
        sleepers.add(sleeper)
        signal?.addEventListener('abort', wake)
      }),
    async advance(ms) {
      const end = now + ms
      await runPending()
      for (let sleeper = nextSleeper(end); sleeper !== undefined; sleeper = nextSleeper(end)) {
        now = sleeper.wakeAt
        sleeper.wake()
        await runPending()
      }
      now = end
    },
  }
}

/** Runs everything that is ready to continue. */
function runPending(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
