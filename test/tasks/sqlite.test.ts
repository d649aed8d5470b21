import { describe } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openDatabase } from '../../src/database/open.ts'
import { openTaskQueue } from '../../src/tasks/open.ts'
import type { QueueOptions } from '../../src/tasks/queue-options.ts'
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
