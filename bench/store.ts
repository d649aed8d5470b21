/**
 * What the documents cost when there are many: `bun bench/store.ts [sqlite|postgres] [documents]`, both engines and a
 * million documents unless told otherwise. Fills an empty store through its port, then reads pages at the beginning,
 * in the middle and at the end of the list, in turn, so that all three see the same state of the machine. PostgreSQL is
 * a server of the benchmark's own, with the settings it comes with.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DocumentStore } from '../src/store/document-store.ts'
import { openStore } from '../src/store/open.ts'
import { startPostgres } from '../test/support/postgres.ts'
import { describeMachine } from './machine.ts'
import { quantile } from './statistics.ts'

/** Clients that create at the same time, each one document after the other. */
const WRITERS = 128
const PAGE_DOCUMENTS = 100
/** Pages read at each place; the first tenth only warms up. */
const PAGES = 3_000
/** What the last page may cost over the first. */
const RATIO_GOAL = 1.1

interface Place {
  name: string
  after: string | undefined
  pageMs: number[]
}

/** Creates the documents and gives the positions of all of them, in order of creation. */
async function fill(store: DocumentStore, documents: number): Promise<string[]> {
  const positions: string[] = []
  let next = 0
  const writer = async () => {
    while (next < documents) {
      const n = next++
      const id = Bun.randomUUIDv7()
      const body = JSON.stringify({ id, name: `document ${n}`, value: n / 7, filler: 'x'.repeat(100) })
      positions.push((await store.create({ id, body })).document.position)
    }
  }
  await Promise.all(Array.from({ length: WRITERS }, writer))
  return positions.sort((a, b) => Number(a) - Number(b))
}

/** Reads a page at each place in turn, PAGES times. */
async function readPages(store: DocumentStore, places: readonly Place[]): Promise<void> {
  for (let n = 0; n < PAGES; n++) {
    for (const { name, after, pageMs } of places) {
      const start = performance.now()
      const { documents } = await store.list({ limit: PAGE_DOCUMENTS, after })
      const ms = performance.now() - start
      if (documents.length !== PAGE_DOCUMENTS)
        throw new Error(`the ${name} page has ${documents.length} documents`)
      if (n >= PAGES / 10) pageMs.push(ms)
    }
  }
}

async function measure(engine: string, store: DocumentStore, documents: number): Promise<void> {
  const start = performance.now()
  const positions = await fill(store, documents)
  const seconds = (performance.now() - start) / 1e3
  const rate = Math.round(documents / seconds).toLocaleString('en')
  console.log(
    `${engine}: ${documents.toLocaleString('en')} documents in ${seconds.toFixed(1)} s, ${rate} a second`,
  )

  const middle = positions[Math.floor(documents / 2)]
  const beforeLast = positions[documents - PAGE_DOCUMENTS - 1]
  const [first, last] = [place('first', undefined), place('last', beforeLast)]
  const places = [first, place('middle', middle), last]
  await readPages(store, places)
  for (const { name, pageMs } of places) {
    console.log(
      `  ${name.padEnd(6)} page  p50 ${quantile(pageMs, 0.5).toFixed(3)} ms  p99 ${quantile(pageMs, 0.99).toFixed(3)} ms`,
    )
  }
  const ratio = quantile(last.pageMs, 0.5) / quantile(first.pageMs, 0.5)
  const tailRatio = quantile(last.pageMs, 0.99) / quantile(first.pageMs, 0.99)
  console.log(
    `  last to first  p50 ${ratio.toFixed(2)}  p99 ${tailRatio.toFixed(2)}  (goal at p50: at most ${RATIO_GOAL})`,
  )
  if (ratio > RATIO_GOAL) process.exitCode = 1
}

function place(name: string, after: string | undefined): Place {
  return { name, after, pageMs: [] }
}

async function onSqlite(documents: number): Promise<void> {
  const dataDir = await mkdtemp(join(tmpdir(), 'tally-bench-'))
  try {
    const store = await openStore({ dataDir })
    await measure('SQLite', store, documents)
    await store.close()
  } finally {
    await rm(dataDir, { recursive: true })
  }
}

async function onPostgres(documents: number): Promise<void> {
  const server = await startPostgres()
  try {
    const store = await openStore({ url: server.url, dataDir: '.' })
    await measure('PostgreSQL', store, documents)
    await store.close()
  } finally {
    await server.remove()
  }
}

const [engine = 'both', documents = '1000000'] = process.argv.slice(2)
console.log(JSON.stringify(describeMachine()))
if (engine !== 'postgres') await onSqlite(Number(documents))
if (engine !== 'sqlite') await onPostgres(Number(documents))
