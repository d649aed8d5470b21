/**
 * What documents cost over HTTP when there are many: `bun bench/documents.ts [sqlite|postgres]`, both engines unless
 * told otherwise, a million documents unless `DOCUMENTS` says otherwise. Fills an empty database through the store's
 * port, then asks a service for pages at the beginning, in the middle and at the end of the list, in turn, so that all
 * three see the same state of the machine; then lets clients create as fast as they are answered.
 */

import { openDocumentStore } from '../src/documents/open.ts'
import { encodeCursor } from '../src/http/headers/link.ts'
import { type Client, connect } from './client.ts'
import { moveToLoadCore } from './cores.ts'
import { type Engine, postgresEngine, sqliteEngine } from './engines.ts'
import { documentText, type Filled, fillStore } from './fill-store.ts'
import { describeMachine } from './machine.ts'
import type { Answer } from './response-reader.ts'
import { startServer } from './server-process.ts'
import { quantile } from './statistics.ts'

const pageDocuments = 100
/** Pages asked for at each place; the first tenth only warms up. */
const pagesPerPlace = 3_000
/** What the last page may cost over the first. */
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

interface Place {
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

/** Asks for a page at each place in turn. */
async function readPages(port: number, { positions }: Filled): Promise<Result['pages']> {
  const count = positions.length
  const places = {
    first: await placeAfter(port, undefined),
    middle: await placeAfter(port, positions[Math.floor(count / 2)]),
    last: await placeAfter(port, positions[count - pageDocuments - 1]),
  }
  const inTurn = Object.values(places)
  for (let n = 0; n < pagesPerPlace; n++) {
    for (let i = 0; i < inTurn.length; i++) {
      // Each round begins at another place: whoever comes first has a pause before it.
      const { client, latenciesMs } = inTurn[(n + i) % inTurn.length] as Place
      const traffic = await client.run(0, n === 0 ? isWholePage : isOk)
      if (n >= pagesPerPlace / 10) latenciesMs.push(...traffic.latenciesMs)
    }
  }
  for (const { client } of inTurn) client.close()
  return {
    first: latency(places.first.latenciesMs),
    middle: latency(places.middle.latenciesMs),
    last: latency(places.last.latenciesMs),
  }
}

async function placeAfter(port: number, position: string | undefined): Promise<Place> {
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

function isWholePage({ status, body }: Answer): void {
  const found = status === 200 ? JSON.parse(body.toString()).length : 0
  if (found !== pageDocuments) throw new Error(`a page was answered ${status} with ${found} documents`)
}

function isOk({ status }: Answer): void {
  if (status !== 200) throw new Error(`a page was answered ${status}`)
}

function isCreated({ status, body }: Answer): void {
  if (status !== 201) throw new Error(`a creation was answered ${status}: ${body}`)
}

function latency(latenciesMs: readonly number[]): Latency {
  return { p50Ms: quantile(latenciesMs, 0.5), p99Ms: quantile(latenciesMs, 0.99) }
}

function describe({ engine, documents, fill, pages, lastToFirst, insert }: Result): string {
  const whole = (number: number) => Math.round(number).toLocaleString('en')
  const row = (name: string, { p50Ms, p99Ms }: Latency) =>
    `  ${name.padEnd(14)}${p50Ms.toFixed(3).padStart(9)} ms${p99Ms.toFixed(3).padStart(9)} ms\n`
  return [
    `${engine}, ${whole(documents)} documents, filled with ${whole(fill.perSecond)} a second\n`,
    `  ${'GET /data'.padEnd(14)}${'p50'.padStart(12)}${'p99'.padStart(12)}\n`,
    ...Object.entries(pages).map(([name, page]) => row(`${name} page`, page)),
    `  ${'last to first'.padEnd(14)}${lastToFirst.p50.toFixed(2).padStart(12)}${lastToFirst.p99.toFixed(2).padStart(12)}`,
    `  (goal at p50: at most ${ratioGoal})\n`,
    row('POST /data', insert),
    `  ${insert.clients} clients create ${whole(insert.perSecond)} a second\n`,
  ].join('')
}

const [only] = process.argv.slice(2)
const documents = Number(process.env.DOCUMENTS ?? 1_000_000)
const date = new Date().toISOString()
const machine = describeMachine()
// PostgreSQL first: what is started after the move would be kept on the load's core with us.
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
const place = machine.pinned ? 'service and load on a core each' : 'NOT pinned: figures are worth little'
process.stdout.write(
  `${pagesPerPlace} pages of ${pageDocuments} at each place, one at a time, in turn; ${date}; Bun ${machine.bun}, ` +
    `${machine.cores} cores of ${machine.cpu}, ${place}; load average at the start ${machine.loadAverage.toFixed(2)}\n`,
)
await Bun.write(
  reportFile,
  `${JSON.stringify({ date, machine, pageDocuments, pagesPerPlace, results }, undefined, 2)}\n`,
)
process.stderr.write(`written to ${reportFile}\n`)
process.exit(results.some(({ lastToFirst }) => lastToFirst.p50 > ratioGoal) ? 1 : 0)
