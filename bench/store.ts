/**
 * What the documents cost when there are many: `bun bench/store.ts [sqlite|postgres] [documents]`, both engines and a
 * million documents unless told otherwise. Fills an empty store through its port, then reads pages at the beginning,
 * in the middle and at the end of the list, in turn, so that all three see the same state of the machine. PostgreSQL is
 * a server of the benchmark's own, with the settings it comes with.
 */
import type { DocumentStore } from '../src/documents/document-store.ts'
import { openDocumentStore } from '../src/documents/open.ts'
import { type Engine, postgresEngine, sqliteEngine } from './engines.ts'
import { fillStore } from './fill-store.ts'
import { describeMachine } from './machine.ts'
import { quantile } from './statistics.ts'

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

async function measure({ name: engine, store: options }: Engine, documents: number): Promise<void> {
  const store = await openDocumentStore(options)
  const { seconds, positions } = await fillStore(store, documents)
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
  await store.close()
}

function place(name: string, after: string | undefined): Place {
  return { name, after, pageMs: [] }
}

const [only = 'both', documents = '1000000'] = process.argv.slice(2)
console.log(JSON.stringify(describeMachine()))
const makers = { sqlite: [sqliteEngine], postgres: [postgresEngine] }[only] ?? [sqliteEngine, postgresEngine]
for (const make of makers) {
  const engine = await make()
  try {
    await measure(engine, Number(documents))
  } finally {
    await engine.remove()
  }
}
