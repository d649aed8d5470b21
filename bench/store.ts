/**
 * Cost of pages in a large document store: `bun bench/store.ts [sqlite|postgres] [documents]`. Defaults: both engines, a
 * million documents. Fills an empty store through its port. Then reads pages at the start, the middle and the end of the
 * list in turn, so that machine noise affects all three alike. Starts its own PostgreSQL server with default settings.
 */
import type { DocumentStore } from '../src/documents/document-store.ts'
import { openDocumentStore } from '../src/documents/open.ts'
import { type Engine, postgresEngine, sqliteEngine } from './engines.ts'
import { fillStore } from './fill-store.ts'
import { describeMachine } from './machine.ts'
import { quantile } from './statistics.ts'

const PAGE_DOCUMENTS = 100
/** Pages read at each position; the first tenth is warm-up. */
const PAGES = 3_000
/** Upper limit for the latency of the last page over the first, at p50. */
const RATIO_GOAL = 1.1

interface PageReader {
  name: string
  after: string | undefined
  pageMs: number[]
}

/** Reads a page at each position in turn, PAGES times. */
async function readPages(store: DocumentStore, readers: readonly PageReader[]): Promise<void> {
  for (let n = 0; n < PAGES; n++) {
    for (const { name, after, pageMs } of readers) {
      const start = performance.now()
      const { documents } = await store.list({ limit: PAGE_DOCUMENTS, after })
      const ms = performance.now() - start
      if (documents.length !== PAGE_DOCUMENTS)
        throw new Error(`expected ${PAGE_DOCUMENTS} documents on the ${name} page, got ${documents.length}`)
      if (n >= PAGES / 10) pageMs.push(ms)
    }
  }
}

async function measure({ name: engine, store: options }: Engine, documents: number): Promise<void> {
  const store = await openDocumentStore(options)
  const { seconds, positions } = await fillStore(store, documents)
  const rate = Math.round(documents / seconds).toLocaleString('en')
  console.log(
    `${engine}: ${documents.toLocaleString('en')} documents in ${seconds.toFixed(1)} s, ${rate} per second`,
  )

  const middle = positions[Math.floor(documents / 2)]
  const beforeLast = positions[documents - PAGE_DOCUMENTS - 1]
  const [first, last] = [pageReader('first', undefined), pageReader('last', beforeLast)]
  const readers = [first, pageReader('middle', middle), last]
  await readPages(store, readers)
  for (const { name, pageMs } of readers) {
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

function pageReader(name: string, after: string | undefined): PageReader {
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
