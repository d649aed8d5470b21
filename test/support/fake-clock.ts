import type { Clock } from '../../src/lifecycle/index.ts'

/** A clock that stands still until it is told to go on. */
export interface FakeClock extends Clock {
  /** Lets so many milliseconds pass; whoever wakes meanwhile sees the time at which it wanted to wake. */
  advance(ms: number): Promise<void>
}

interface Sleeper {
  readonly wakeAt: number
  readonly wake: () => void
}

export function createFakeClock(): FakeClock {
  let now = 0
  const sleepers = new Set<Sleeper>()

  const nextUntil = (end: number): Sleeper | undefined =>
    [...sleepers].filter(({ wakeAt }) => wakeAt <= end).sort((a, b) => a.wakeAt - b.wakeAt)[0]

  return {
    now: () => now,
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
      await settle()
      for (let sleeper = nextUntil(end); sleeper !== undefined; sleeper = nextUntil(end)) {
        now = sleeper.wakeAt
        sleeper.wake()
        await settle()
      }
      now = end
    },
  }
}

/** Lets everything that is ready to go on do so. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
