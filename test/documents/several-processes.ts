import { expect, test } from 'bun:test'
import { join } from 'node:path'
import type { Document } from '../../src/documents/document-store.ts'
import { openStore } from '../../src/documents/open.ts'
import { bodyOf, type WriterTask } from './writer.ts'

const ROUNDS = 20
const WRITERS = 8
/** Long enough for 20 starts of a process on a busy machine. */
const TIMEOUT_MS = 60_000

/** Where the processes of one test meet: an empty database. */
export interface MeetingPlace {
  url?: string
  dataDir: string
  remove(): Promise<void>
}

/**
 * What `DocumentStore` promises about processes that share a database or die, as tests with real processes.
 *
 * @param makePlace called in each test
 */
export function severalProcessesContract(makePlace: () => Promise<MeetingPlace>): void {
  test(
    `in ${ROUNDS} rounds of kill -9 while ${WRITERS} writers write, every confirmed document is there, once and whole`,
    async () => {
      const place = await makePlace()
      const confirmed: string[] = []
      for (let round = 0; round < ROUNDS; round++) {
        const writer = startWriter({ ...place, prefix: `r${round}`, writers: WRITERS, documents: 1_000_000 })
        const lines: string[] = []
        // Not always at the same number: the kill has to fall into different moments of a commit.
        const enough = 20 + round * 7
        for await (const line of writer.lines()) {
          lines.push(line)
          if (lines.length === enough) writer.child.kill('SIGKILL')
        }
        expect(await writer.child.exited).not.toBe(0)
        expect(lines.length).toBeGreaterThanOrEqual(enough)
        confirmed.push(...lines)
      }
      expect(confirmed.filter((line) => line.startsWith('failed'))).toEqual([])
      const kept = await everyDocument(place)
      const bodies = new Map(kept.map(({ id, body }) => [id, body]))
      expect(bodies.size).toBe(kept.length)
      expect(confirmed.filter((id) => bodies.get(id) !== bodyOf(id))).toEqual([])
      expect(kept.filter(({ id, body }) => body !== bodyOf(id))).toEqual([])
      await place.remove()
    },
    TIMEOUT_MS,
  )

  test(
    `two processes with ${WRITERS} writers each lose no write, and no writer is told that the database is locked`,
    async () => {
      const place = await makePlace()
      const writers = ['a', 'b'].map((prefix) =>
        startWriter({ ...place, prefix, writers: WRITERS, documents: 150 }),
      )
      const lines = (await Promise.all(writers.map((writer) => Array.fromAsync(writer.lines())))).flat()
      expect(lines.filter((line) => line.startsWith('failed'))).toEqual([])
      expect(lines).toHaveLength(2 * WRITERS * 150)
      expect((await everyDocument(place)).map(({ id }) => id).sort()).toEqual(lines.sort())
      await place.remove()
    },
    TIMEOUT_MS,
  )

  test(
    'three processes that open an empty database at the same time all find it migrated',
    async () => {
      for (let round = 0; round < 3; round++) {
        const place = await makePlace()
        const writers = ['a', 'b', 'c'].map((prefix) =>
          startWriter({ ...place, prefix, writers: 1, documents: 1 }),
        )
        const lines = (await Promise.all(writers.map((writer) => Array.fromAsync(writer.lines())))).flat()
        expect(lines.sort()).toEqual(['a-0-0', 'b-0-0', 'c-0-0'])
        expect(await Promise.all(writers.map(({ child }) => child.exited))).toEqual([0, 0, 0])
        await place.remove()
      }
    },
    TIMEOUT_MS,
  )
}

function startWriter({ url, dataDir, prefix, writers, documents }: WriterTask) {
  const task: WriterTask = { ...(url === undefined ? {} : { url }), dataDir, prefix, writers, documents }
  const child = Bun.spawn({
    cmd: [process.execPath, join(import.meta.dir, 'writer.ts'), JSON.stringify(task)],
    stdout: 'pipe',
    stderr: 'inherit',
  })
  async function* lines() {
    let rest = ''
    for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
      const pieces = (rest + chunk).split('\n')
      // A line cut off by the kill was not confirmed to anybody.
      rest = pieces.pop() as string
      yield* pieces
    }
  }
  return { child, lines }
}

async function everyDocument(place: MeetingPlace): Promise<Document[]> {
  const store = await openStore({ url: place.url, dataDir: place.dataDir })
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
