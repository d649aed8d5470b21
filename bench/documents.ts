/**
 * Cost of documents over HTTP in a large collection: `bun bench/documents.ts [sqlite|postgres]`. Defaults: both engines,
 * a million documents (`DOCUMENTS`). Fills an empty database through the store's port. Then requests pages from the
 * start, the middle and the end of the list in turn, so that machine noise affects all three alike. Finally clients
 * create documents in a closed loop.
 */

import { openDocumentStore } from '../src/documents/open.ts'
import { encodeCursor } from '../src/http/headers/link.ts'
import { type Client, connect } from './client.ts'
import { moveToLoadCore } from './cores.ts'
import { type Engine, postgresEngine, sqliteEngine } from './engines.ts'
import { documentText, type Filled, fillStore } from './fill-store.ts'
import { describeMachine } from './machine.ts'
import type { RawResponse } from './response-reader.ts'
import { startServer } from './server-process.ts'
import { quantile } from './statistics.ts'

const pageDocuments = 100
/** Pages requested at each position; the first tenth is warm-up. */
const pagesPerPosition = 3_000
/** Upper limit for the latency of the last page over the first, at p50. */
const ratioGoal = 1.1
const insertClients = 32
const insertMs = 5_000

const reportFile = 'reports/bench/documents.json'

interface Latency {
  readonly p50Ms: number
  readonly p99Ms: number
}

interface Result {
  readonly engine: string
  readonly documents: number
  readonly fill: { readonly seconds: number; readonly perSecond: number }
  readonly pages: Readonly<Record<'first' | 'middle' | 'last', Latency>>
  readonly lastToFirst: { readonly p50: number; readonly p99: number }
  readonly insert: Latency & { readonly clients: number; readonly perSecond: number }
}

interface PageReader {
  readonly client: Client
  readonly latenciesMs: number[]
}

async function measure({ name, store: options, env }: Engine, documents: number): Promise<Result> {
  const store = await openDocumentStore(options)
  const filled = await fillStore(store, documents)
  await store.close()
  const command = [process.execPath, new URL('../src/main.ts', import.meta.url).pathname]
  const server = await startServer({ name: 'tally', command, env: { ACCESS_LOG: 'false', ...env } })
  try {
    const pages = await readPages(server.port, filled)
    return {
      engine: name,
      documents,
      fill: { seconds: filled.seconds, perSecond: documents / filled.seconds },
      pages,
      lastToFirst: {
        p50: pages.last.p50Ms / pages.first.p50Ms,
        p99: pages.last.p99Ms / pages.first.p99Ms,
      },
      insert: await insert(server.port),
    }
  } finally {
    await server.stop()
  }
}

/** Requests a page at each position in turn. */
async function readPages(port: number, { positions }: Filled): Promise<Result['pages']> {
  const count = positions.length
  const readers = {
    first: await readerAfter(port, undefined),
    middle: await readerAfter(port, positions[Math.floor(count / 2)]),
    last: await readerAfter(port, positions[count - pageDocuments - 1]),
  }
  const inTurn = Object.values(readers)
  for (let n = 0; n < pagesPerPosition; n++) {
    for (let i = 0; i < inTurn.length; i++) {
      // Each round starts at another position, because the first request follows a pause.
      const { client, latenciesMs } = inTurn[(n + i) % inTurn.length] as PageReader
      const traffic = await client.run(0, n === 0 ? isWholePage : isOk)
      if (n >= pagesPerPosition / 10) latenciesMs.push(...traffic.latenciesMs)
    }
  }
  for (const { client } of inTurn) client.close()
  return {
    first: latency(readers.first.latenciesMs),
    middle: latency(readers.middle.latenciesMs),
    last: latency(readers.last.latenciesMs),
  }
}

async function readerAfter(port: number, position: string | undefined): Promise<PageReader> {
  const cursor = position === undefined ? '' : `&cursor=${encodeCursor(position)}`
  const path = `/data?limit=${pageDocuments}${cursor}`
  const request = Buffer.from(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
  return { client: await connect(port, request, 1), latenciesMs: [] }
}

async function insert(port: number): Promise<Result['insert']> {
  const body = documentText({ n: 0 })
  const head = `POST /data HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`
  const client = await connect(port, Buffer.from(head + body), insertClients)
  await client.run(insertMs / 5, isCreated)
  const { seconds, latenciesMs } = await client.run(insertMs, isCreated)
  client.close()
  return { clients: insertClients, perSecond: latenciesMs.length / seconds, ...latency(latenciesMs) }
}

function isWholePage({ status, body }: RawResponse): void {
  const found = status === 200 ? JSON.parse(body.toString()).length : 0
  if (found !== pageDocuments) throw new Error(`GET returned ${status} with ${found} documents`)
}

function isOk({ status }: RawResponse): void {
  if (status !== 200) throw new Error(`GET returned ${status}`)
}

function isCreated({ status, body }: RawResponse): void {
  if (status !== 201) throw new Error(`POST returned ${status}: ${body}`)
}

function latency(latenciesMs: readonly number[]): Latency {
  return { p50Ms: quantile(latenciesMs, 0.5), p99Ms: quantile(latenciesMs, 0.99) }
}

function describe({ engine, documents, fill, pages, lastToFirst, insert }: Result): string {
  const whole = (number: number) => Math.round(number).toLocaleString('en')
  const row = (name: string, { p50Ms, p99Ms }: Latency) =>
    `  ${name.padEnd(14)}${p50Ms.toFixed(3).padStart(9)} ms${p99Ms.toFixed(3).padStart(9)} ms\n`
  return [
    `${engine}, ${whole(documents)} documents, filled at ${whole(fill.perSecond)} per second\n`,
    `  ${'GET /data'.padEnd(14)}${'p50'.padStart(12)}${'p99'.padStart(12)}\n`,
    ...Object.entries(pages).map(([name, page]) => row(`${name} page`, page)),
    `  ${'last to first'.padEnd(14)}${lastToFirst.p50.toFixed(2).padStart(12)}${lastToFirst.p99.toFixed(2).padStart(12)}`,
    `  (goal at p50: at most ${ratioGoal})\n`,
    row('POST /data', insert),
    `  ${insert.clients} clients create ${whole(insert.perSecond)} per second\n`,
  ].join('')
}

const [only] = process.argv.slice(2)
const documents = Number(process.env.DOCUMENTS ?? 1_000_000)
const date = new Date().toISOString()
const machine = describeMachine()
// PostgreSQL first: a process that starts after the move inherits the load's core.
const engines = [
  ...(only === 'sqlite' ? [] : [await postgresEngine()]),
  ...(only === 'postgres' ? [] : [await sqliteEngine()]),
].reverse()
const results: Result[] = []
try {
  moveToLoadCore()
  for (const engine of engines) {
    const result = await measure(engine, documents)
    results.push(result)
    process.stdout.write(`${describe(result)}\n`)
  }
} finally {
  await Promise.all(engines.map((engine) => engine.remove()))
}
const pinning = machine.pinned
  ? 'service and load pinned to one core each'
  : 'NOT pinned: figures are unreliable'
process.stdout.write(
  `${pagesPerPosition} pages of ${pageDocuments} at each position, one at a time, in turn; ${date}; Bun ${machine.bun}, ` +
    `${machine.cores} cores of ${machine.cpu}, ${pinning}; load average at start ${machine.loadAverage.toFixed(2)}\n`,
)
await Bun.write(
  reportFile,
  `${JSON.stringify({ date, machine, pageDocuments, pagesPerPosition, results }, undefined, 2)}\n`,
)
process.stderr.write(`written to ${reportFile}\n`)
process.exit(results.some(({ lastToFirst }) => lastToFirst.p50 > ratioGoal) ? 1 : 0)
