/**
 * A process that runs tasks until it is killed: `bun runner.ts '<RunnerTask as JSON>'`. It prints the outcome and the
 * id of each run. The task `"kill"` kills it.
 */
import { openDatabase } from '../../src/database/open.ts'
import { openTaskQueue } from '../../src/tasks/open.ts'
import type { TaskQueue } from '../../src/tasks/task-queue.ts'

/** How a process finds the queue of its test. */
export interface QueueLocation {
  /** A Redis server; else the database of `url` or `dataDir`. */
  readonly redisUrl?: string
  readonly url?: string
  readonly dataDir: string
}

export interface RunnerTask extends QueueLocation {
  /** The name in its results. */
  readonly name: string
  /** How long a task takes, in ms. */
  readonly runMs: number
  /** How far its host's clock is ahead, in ms. */
  readonly clockAheadMs?: number
}

/** Opens the queue with short times. */
export async function openTestQueue({ redisUrl, url, dataDir }: QueueLocation): Promise<{
  queue: TaskQueue
  close(): Promise<void>
}> {
  const options = { leaseMs: 1_000, initialBackoffMs: 20, maxAttempts: 3 }
  if (redisUrl !== undefined) {
    const queue = await openTaskQueue({ engine: 'redis', url: redisUrl }, options)
    return { queue, close: () => queue.close() }
  }
  const database = await openDatabase({ url, dataDir })
  const queue = await openTaskQueue(database, options)
  return {
    queue,
    close: async () => {
      await queue.close()
      await database.close()
    },
  }
}

if (import.meta.main) {
  const { name, runMs, clockAheadMs = 0, ...location } = JSON.parse(process.argv[2] as string) as RunnerTask
  const rightNow = Date.now
  Date.now = () => rightNow() + clockAheadMs
  const { queue } = await openTestQueue(location)
  queue.consume(
    async ({ payload }) => {
      if (payload === '"kill"') process.kill(process.pid, 'SIGKILL')
      await Bun.sleep(runMs)
      return JSON.stringify(`by ${name}`)
    },
    {
      concurrency: 2,
      timeoutMs: 60_000,
      worker: { name, version: '1' },
      onRunEnd: ({ outcome, task }) => process.stdout.write(`${outcome} ${task.id}\n`),
    },
  )
}
