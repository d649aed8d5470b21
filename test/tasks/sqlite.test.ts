import { describe, expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openDatabase } from '../../src/database/open.ts'
import { openTaskQueue } from '../../src/tasks/open.ts'
import type { QueueOptions } from '../../src/tasks/queue-options.ts'
import type { SqliteTaskQueue } from '../../src/tasks/sqlite.ts'
import { taskQueueContract } from './contract.ts'

describe('the contract on SQLite', () => {
  taskQueueContract(async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'tally-queue-'))
    const databases: { close(): Promise<void> }[] = []
    return {
      async open(options: Partial<QueueOptions>) {
        const database = await openDatabase({ dataDir })
        databases.push(database)
        return openTaskQueue(database, options)
      },
      async remove() {
        await Promise.all(databases.map((database) => database.close()))
        await rm(dataDir, { recursive: true })
      },
    }
  })
})

test('one cleanup deletes all ended tasks, however many, so that none pile up', async () => {
  const database = await openDatabase({ url: 'sqlite::memory:', dataDir: '.' })
  const retentionMs = 60_000
  let now = Date.now()
  const queue = (await openTaskQueue(database, { retentionMs, now: () => now })) as SqliteTaskQueue
  for (let n = 0; n < 1_200; n++) {
    const { task } = await queue.enqueue({ kind: 'analysis', payload: '"a"' })
    await queue.cancel(task.id)
  }
  const countEnded = async () => (await queue.stats()).cancelled
  expect(await countEnded()).toBe(1_200)
  await queue.deleteEnded()
  expect(await countEnded()).toBe(1_200)
  now += retentionMs + 1
  await queue.deleteEnded()
  expect(await countEnded()).toBe(0)
  await queue.close()
  await database.close()
})
