import { setTimeout as sleep } from 'node:timers/promises'
import { openDatabase } from '../../../src/database/open.ts'
import { openTaskQueue } from '../../../src/tasks/open.ts'
import type { Task } from '../../../src/tasks/task.ts'
import { TaskEnded, type TaskQueue } from '../../../src/tasks/task-queue.ts'

/** Maximum delays of planned tasks in a chaos test, and of their cancellations, in ms. */
const maxDelayMs = 2_000
const maxCancelMs = 1_000
/** Delay before a call without a response is repeated, in ms. */
const repeatMs = 20

/** Adds tasks with priorities and delays, and cancels tasks, while processes are killed. */
export interface PlannedTasks {
  /** Adds a planned task with an idempotency key until it is accepted. Returns its id. */
  add(key: string, payload: string, n: number): Promise<string>
  /** When such a task is due, in ms since the epoch; undefined for another task. */
  runAt(id: string): number | undefined
  /** Cancels a task some time after now. */
  cancelLater(id: string): void
  /** The ids of the tasks with a confirmed cancellation, once all cancellations have been answered. */
  cancelled(): Promise<ReadonlySet<string>>
  close(): Promise<void>
}

/** Where the tasks are: a Redis server, or else the database of `url` or `dataDir`. */
export interface PlannedTasksPlace {
  readonly redisUrl?: string
  readonly url?: string
  readonly dataDir: string
}

export async function openPlannedTasks({ redisUrl, ...place }: PlannedTasksPlace): Promise<PlannedTasks> {
  const database = redisUrl === undefined ? await openDatabase(place) : undefined
  const queue = await openTaskQueue(database ?? { engine: 'redis', url: redisUrl as string })
  const confirmed = new Set<string>()
  const cancellations: Promise<void>[] = []
  const runAts = new Map<string, number>()
  return {
    async add(key, payload, n) {
      const { id, runAt } = await addPlanned(queue, key, payload, n)
      runAts.set(id, runAt)
      return id
    },
    runAt: (id) => runAts.get(id),
    cancelLater(id) {
      cancellations.push(
        sleep(Math.random() * maxCancelMs).then(async () => {
          if (await cancel(queue, id)) confirmed.add(id)
        }),
      )
    },
    async cancelled() {
      await Promise.all(cancellations)
      return confirmed
    },
    async close() {
      await queue.close()
      await database?.close()
    },
  }
}

async function addPlanned(queue: TaskQueue, key: string, payload: string, n: number): Promise<Task> {
  const delay = Math.round(Math.random() * maxDelayMs)
  const due = n % 3 === 0 ? { runAt: Date.now() + delay } : n % 3 === 1 ? { delayMs: delay } : {}
  for (;;) {
    try {
      const { task } = await queue.enqueue(
        { kind: 'analysis', payload, priority: n % 10, ...due },
        { scope: 'planned', key, fingerprint: payload },
      )
      return task
    } catch {
      await sleep(repeatMs)
    }
  }
}

/** @returns whether it was cancelled: false if it had ended before */
async function cancel(queue: TaskQueue, id: string): Promise<boolean> {
  for (;;) {
    try {
      return (await queue.cancel(id)) !== undefined
    } catch (error) {
      if (error instanceof TaskEnded) return false
      await sleep(repeatMs)
    }
  }
}
