import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import type { DocumentStore } from '../../src/documents/document-store.ts'
import { openDocumentStore } from '../../src/documents/open.ts'
import { appDeps } from '../support/app-deps.ts'
import { get, HttpConnection } from '../support/http-connection.ts'
import { type Listening, listen } from '../support/listening.ts'
import { memoryLog } from '../support/memory-log.ts'
import { expectProblem } from '../support/problems.ts'
import { until } from '../support/until.ts'

setDefaultTimeout(60_000)

const mebibyte = 2 ** 20
/** Random, so that compression does not shrink it; with surrogate pairs, which must not be split. */
const bodies = Array.from({ length: 16 }, (_, i) => {
  const random = Buffer.from(crypto.getRandomValues(new Uint8Array(60_000))).toBase64()
  return JSON.stringify({ id: `d${i}`, text: `${'a'.repeat(i)}${'😀'.repeat(120_000)}${random.repeat(5)}` })
})

let store: DocumentStore
beforeAll(async () => {
  store = await openDocumentStore({ url: 'sqlite::memory:', dataDir: '.' })
  for (const [i, body] of bodies.entries()) await store.create({ id: `d${i}`, body })
})
afterAll(async () => await store.close())

const limits = (maxResponseBytes: number) => ({ ...appDeps().limits, maxResponseBytes })
const serve = (maxResponseBytes: number, changes = {}): Listening =>
  listen({ store, limits: limits(maxResponseBytes), ...changes })

/** Sends a request on a new connection and reads nothing. */
async function askAndStall(server: Listening, path: string, coding = 'identity'): Promise<HttpConnection> {
  const connection = await HttpConnection.open(server.port, {
    countOnly: true,
    slowReader: { bytes: 1, pauseMs: 2 ** 30 },
  })
  connection.send(get(path).replace('\r\n\r\n', `\r\nAccept-Encoding: ${coding}\r\n\r\n`))
  return connection
}

describe('a large response', () => {
  test('of a list has every document, character by character, and the link to the next page', async () => {
    await using server = serve(mebibyte)
    const all = await fetch(`${server.url}/data?limit=1000`)
    expect(await all.text()).toBe(`[${bodies.join()}]`)
    expect(all.headers.get('link')).toBeNull()
    const some = await fetch(`${server.url}/data?limit=5`)
    expect(await some.text()).toBe(`[${bodies.slice(0, 5).join()}]`)
    const next = some.headers.get('link')?.match(/<(.+)>/)?.[1]
    expect(await (await fetch(server.url + next)).text()).toBe(`[${bodies.slice(5, 10).join()}]`)
  })

  test.each(['gzip', 'zstd'])('is the same when compressed with %s', async (coding) => {
    await using server = serve(mebibyte, { compress: true })
    for (const [path, expected] of [
      ['/data?limit=1000', `[${bodies.join()}]`],
      ['/data/d3', bodies[3] as string],
    ] as const) {
      const response = await fetch(server.url + path, { headers: { 'accept-encoding': coding } })
      expect(response.headers.get('content-encoding')).toBe(coding)
      expect(await response.text()).toBe(expected)
    }
  })

  test('to HEAD has no body and holds nothing', async () => {
    await using server = serve(mebibyte)
    for (let i = 0; i < 5; i++)
      for (const path of ['/data?limit=1000', '/data/d1'])
        expect((await fetch(server.url + path, { method: 'HEAD' })).status).toBe(200)
    expect(await (await fetch(`${server.url}/data/d1`)).text()).toBe(bodies[1] as string)
  })

  test('of a list omits documents that are deleted while it is read', async () => {
    const own = await openDocumentStore({ url: 'sqlite::memory:', dataDir: '.' })
    for (const [i, body] of bodies.entries()) await own.create({ id: `d${i}`, body })
    let isDeleted = false
    const deleting: DocumentStore = {
      ...own,
      measure: (request) => own.measure(request),
      async list(request) {
        const page = await own.list(request)
        if (request.until !== undefined && !isDeleted) {
          isDeleted = true
          await own.delete('d15')
        }
        return page
      },
    }
    await using server = serve(mebibyte, { store: deleting })
    const response = await fetch(`${server.url}/data?limit=1000`)
    expect(await response.text()).toBe(`[${bodies.slice(0, 15).join()}]`)
    await own.close()
  })
})

test('a client that disconnects while a list is read is no error of the service', async () => {
  const reading = Promise.withResolvers<void>()
  const disconnected = Promise.withResolvers<void>()
  const slow: DocumentStore = {
    ...store,
    measure: (request) => store.measure(request),
    async list(request) {
      const page = await store.list(request)
      if (request.until !== undefined) {
        reading.resolve()
        await disconnected.promise
      }
      return page
    },
  }
  const { log, messages } = memoryLog()
  await using server = serve(mebibyte, { store: slow, log })
  using connection = await HttpConnection.open(server.port)
  connection.send(get('/data?limit=1000'))
  await reading.promise
  connection.close()
  await until(() => server.inFlight() === 0)
  disconnected.resolve()
  // The next list is read after what is left of the first one.
  expect(await (await fetch(`${server.url}/data?limit=1000`)).text()).toBe(`[${bodies.join()}]`)
  expect((await messages()).filter(({ level }) => level === 'error')).toEqual([])
})

describe('clients that do not read', () => {
  // Socket buffers of the kernel take some megabytes each, so small responses are complete at once.
  const random = crypto.getRandomValues(new Uint8Array(12 * mebibyte))
  const big = JSON.stringify({ id: 'd1', text: Buffer.from(random).toBase64() })

  test.each([
    ['/data?limit=1000', false],
    ['/data/d1', false],
    ['/data?limit=1000', true],
    ['/data/d1', true],
  ])(
    'share a bound, beyond it 503, and release it when their clients disconnect: %s, compressed: %p',
    async (path, compress) => {
      const own = await openDocumentStore({ url: 'sqlite::memory:', dataDir: '.' })
      for (const id of ['d1', 'd2', 'd3']) await own.create({ id, body: big })
      await using server = serve(40 * mebibyte, { store: own, compress })
      const coding = compress ? 'gzip' : 'identity'
      const headers = { 'accept-encoding': coding }
      const stalled = [await askAndStall(server, path, coding), await askAndStall(server, path, coding)]
      await until(async () => {
        const response = await fetch(server.url + path, { headers, method: 'GET' })
        if (response.status === 503) {
          await expectProblem(response, 503, 'overloaded')
          expect(response.headers.get('retry-after')).toBe('1')
          return true
        }
        await response.body?.cancel()
        return false
      })
      // A small response has room.
      expect((await fetch(`${server.url}/health`)).status).toBe(200)
      for (const connection of stalled) connection.close()
      await until(async () => {
        const response = await fetch(server.url + path, { headers })
        await response.bytes()
        return response.status === 200
      })
      await own.close()
    },
  )

  test('do not let a document be stored whose response would be refused', async () => {
    const big = JSON.stringify({ id: 'd1', text: 'a'.repeat(12 * mebibyte) })
    const own = await openDocumentStore({ url: 'sqlite::memory:', dataDir: '.' })
    await own.create({ id: 'd1', body: big })
    await using server = serve(12.5 * mebibyte, { store: own })
    using stalled = await askAndStall(server, '/data/d1')
    await until(async () => {
      const response = await fetch(`${server.url}/data/d1`)
      await response.body?.cancel()
      return response.status === 503
    })
    const put = () =>
      fetch(`${server.url}/data/new`, {
        method: 'PUT',
        body: JSON.stringify({ text: 'b'.repeat(900_000) }),
        headers: { 'content-type': 'application/json' },
      })
    expect((await put()).status).toBe(503)
    expect(await own.get('new')).toBeUndefined()
    stalled.close()
    await until(async () => (await put()).ok)
    await own.close()
  })
})
