import type { Notifier } from './notifier.ts'
import { isEnded, type Task } from './task.ts'

/** How to observe one task of a queue. */
export interface WatchSource {
  /** A text that differs after each update; undefined when there is no such task. Without the payload, which may be large. */
  readonly readState: () => Promise<string | undefined>
  readonly find: () => Promise<Task | undefined>
  /** Notified when any task is updated. */
  readonly updated: Notifier
  /** How often to poll without a notification, in ms: another process's updates may come without one. */
  readonly pollIntervalMs: number
}

/** Yields the task now and after each update, until it has ended or the signal aborts: TaskQueue.watch of every adapter. */
export async function* watchTask(
  { readState, find, updated, pollIntervalMs }: WatchSource,
  signal: AbortSignal,
): AsyncIterable<Task> {
  let seen: string | undefined
  while (!signal.aborted) {
    const since = updated.version
    const state = await readState()
    if (state === undefined) return
    if (state !== seen) {
      const task = await find()
      if (task === undefined) return
      yield task
      if (isEnded(task)) return
      seen = state
    }
    await updated.wait(pollIntervalMs, signal, since)
  }
}
