import type { Notifier } from './notifier.ts'
import { isEnded, type Task } from './task.ts'

/** How a queue is asked about one task, and how it tells that some task changed. */
export interface Watched {
  /** What differs after each change; undefined when there is no such task. The payload, which may be large, stays out. */
  readonly state: () => Promise<string | undefined>
  readonly find: () => Promise<Task | undefined>
  readonly changed: Notifier
  /** How often to look without having been woken, in ms: another process's changes may come without a word. */
  readonly lookEveryMs: number
}

/** The task now and after each change, until it has ended or the signal aborts: TaskQueue.watch, for every adapter. */
export async function* watchTask(
  { state, find, changed, lookEveryMs }: Watched,
  signal: AbortSignal,
): AsyncIterable<Task> {
  let seen: string | undefined
  while (!signal.aborted) {
    const since = changed.count
    const now = await state()
    if (now === undefined) return
    if (now !== seen) {
      const task = await find()
      if (task === undefined) return
      yield task
      if (isEnded(task)) return
      seen = now
    }
    await changed.wait(lookEveryMs, signal, since)
  }
}
