import { z } from 'zod'
import { UnrecoverableTask } from '../task-queue.ts'
import { defineKind } from './kind.ts'

const minSeconds = 2
const maxSeconds = 6

/** Work that takes a while and can fail on demand, to see how workers, retries, cancellation and rollouts behave. */
export const demo = defineKind({
  name: 'demo',
  description: 'Sleeps for 2 to 6 seconds, or as long as asked, and fails on demand. For trying things out.',
  timeoutMs: 60_000,
  isDebug: true,
  payload: () =>
    z.strictObject({
      seconds: z
        .number()
        .min(0, 'must be at least 0')
        .max(60, 'must be at most 60')
        .optional()
        .describe('How long it sleeps. Default: between 2 and 6, at random'),
      fail: z
        .enum(['first', 'always', 'permanently'], 'must be one of first, always, permanently')
        .optional()
        .describe(
          'After the sleep it fails: in the `first` attempt, in `always` every one, or `permanently` without another',
        ),
    }),
  result: () => z.strictObject({ slept_seconds: z.number() }),
  async run({ seconds = minSeconds + Math.random() * (maxSeconds - minSeconds), fail }, { task, signal }) {
    await sleep(seconds * 1_000, signal)
    if (fail === 'permanently') throw new UnrecoverableTask('failed on demand')
    if (fail === 'always' || (fail === 'first' && task.attempts === 1)) throw new Error('failed on demand')
    return { slept_seconds: seconds }
  },
})

/** Avoids node:timers/promises, which would slow down every start. */
function sleep(ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      reject(signal.reason)
    })
  })
}
