import { expect, test } from 'bun:test'
import { join } from 'node:path'
import type { Document } from '../../src/documents/document-store.ts'
import { openDocumentStore } from '../../src/documents/open.ts'
import { spawnChild } from '../support/child-process.ts'
import { rounds } from '../support/rounds.ts'
import { until } from '../support/until.ts'
import { createBody, type WriterTask } from './writer.ts'

const writerCount = 8
/** Long enough to start a process 20 times on a busy machine. */
const timeoutMs = 60_000

/** The empty database that the processes of one test share. */
export interface SharedDatabase {
  url?: string
  dataDir: string
  remove(): Promise<void>
}

/**
 * The promises of `DocumentStore` about processes that share a database or die, as tests with real processes.
 *
 * @param createDatabase called in each test
 */
export function severalProcessesContract(createDatabase: () => Promise<SharedDatabase>): void {
  test(
    `every confirmed document is stored once and completely after ${rounds} rounds of kill -9 under ${writerCount} writers`,
    async () => {
      const database = await createDatabase()
      const confirmed: string[] = []
      for (let round = 0; round < rounds; round++) {
        const writer = startWriter({
          ...database,
          prefix: `r${round}`,
          writers: writerCount,
          documents: 1_000_000,
        })
        // A different number in each round, so that the kills hit different moments of a commit.
        const enough = 20 + round * 7
        await until(() => writer.log.texts.length >= enough, { intervalMs: 1 })
        writer.signal('SIGKILL')
        expect(await writer.exited).not.toBe(0)
        // A line that the kill truncated is not a confirmation.
        confirmed.push(...writer.log.texts)
      }
      expect(confirmed.filter((line) => line.startsWith('failed'))).toEqual([])
      const stored = await readDocuments(database)
      const bodies = new Map(stored.map(({ id, body }) => [id, body]))
      expect(bodies.size).toBe(stored.length)
      expect(confirmed.filter((id) => bodies.get(id) !== createBody(id))).toEqual([])
      expect(stored.filter(({ id, body }) => body !== createBody(id))).toEqual([])
      await database.remove()
    },
    timeoutMs,
  )

  test(
    `two processes with ${writerCount} writers each lose no write, and no write fails because the database is locked`,
    async () => {
      const database = await createDatabase()
      const writers = ['a', 'b'].map((prefix) =>
        startWriter({ ...database, prefix, writers: writerCount, documents: 150 }),
      )
      await Promise.all(writers.map(({ exited }) => exited))
      const lines = writers.flatMap(({ log }) => log.texts)
      expect(lines.filter((line) => line.startsWith('failed'))).toEqual([])
      expect(lines).toHaveLength(2 * writerCount * 150)
      expect((await readDocuments(database)).map(({ id }) => id).sort()).toEqual(lines.sort())
      await database.remove()
    },
    timeoutMs,
  )

  test(
    'three processes that open an empty database at the same time all work on the migrated schema',
    async () => {
      for (let round = 0; round < 3; round++) {
        const database = await createDatabase()
        const writers = ['a', 'b', 'c'].map((prefix) =>
          startWriter({ ...database, prefix, writers: 1, documents: 1 }),
        )
        expect(await Promise.all(writers.map(({ exited }) => exited))).toEqual([0, 0, 0])
        const lines = writers.flatMap(({ log }) => log.texts)
        expect(lines.sort()).toEqual(['a-0-0', 'b-0-0', 'c-0-0'])
        await database.remove()
      }
    },
    timeoutMs,
  )
}

function startWriter({ url, dataDir, prefix, writers, documents }: WriterTask) {
  const task: WriterTask = { ...(url === undefined ? {} : { url }), dataDir, prefix, writers, documents }
  return spawnChild({ command: [process.execPath, join(import.meta.dir, 'writer.ts'), JSON.stringify(task)] })
}

async function readDocuments(database: SharedDatabase): Promise<Document[]> {
  const store = await openDocumentStore({ url: database.url, dataDir: database.dataDir })
  const documents: Document[] = []
  let after: string | undefined
  do {
    const page = await store.list({ limit: 1_000, after })
    documents.push(...page.documents)
    after = page.next
  } while (after !== undefined)
  await store.close()
  return documents
}
