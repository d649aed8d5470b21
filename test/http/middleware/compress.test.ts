import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { gunzipSync } from 'node:zlib'
import { openDatabase } from '../../../src/database/open.ts'
import type { DocumentStore } from '../../../src/documents/document-store.ts'
import { createDocumentStore } from '../../../src/documents/open.ts'
import { createApp, type ServiceApp } from '../../../src/http/app.ts'
import { chooseCoding } from '../../../src/http/middleware/compress.ts'
import { appDeps } from '../../support/app-deps.ts'

describe('the coding of a response', () => {
  for (const [accepted, coding] of [
    [undefined, undefined],
    ['', undefined],
    ['identity', undefined],
    ['br', undefined],
    ['gzip', 'gzip'],
    ['gzip, deflate, br, zstd', 'zstd'],
    ['zstd;q=0.5, gzip', 'gzip'],
    ['GZIP;q=0.2', 'gzip'],
    ['gzip;q=0', undefined],
    ['gzip;q=0, *', 'zstd'],
    ['*;q=0', undefined],
    ['*', 'zstd'],
    ['x-gzip-not', undefined],
    ['gzip;q=abc', undefined],
  ] as const)
    test(`for Accept-Encoding ${accepted} is ${coding}`, () => {
      expect(chooseCoding(accepted)).toBe(coding)
    })
})

describe('a response', () => {
  let app: ServiceApp
  let store: DocumentStore
  let close: () => Promise<void>
  const large = { id: 'large', text: 'many words '.repeat(5_000) }
  const huge = { id: 'huge', text: 'many words '.repeat(80_000) }

  beforeAll(async () => {
    const database = await openDatabase({ url: 'sqlite::memory:', dataDir: '.' })
    store = createDocumentStore(database)
    app = createApp(appDeps({ store, compress: true }))
    for (const document of [{ id: 'small' }, large, huge])
      await app.request('/data', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(document),
      })
    close = async () => {
      await store.close()
      await database.close()
    }
  })
  afterAll(() => close())

  const get = async (path: string, headers: Record<string, string> = {}): Promise<Response> =>
    await app.request(path, { headers })
  const decoded = async (response: Response): Promise<string> => {
    const bytes = await response.bytes()
    const coding = response.headers.get('content-encoding')
    if (coding === 'gzip') return gunzipSync(bytes).toString()
    return coding === 'zstd' ? Bun.zstdDecompressSync(bytes).toString() : new TextDecoder().decode(bytes)
  }

  for (const coding of ['gzip', 'zstd'] as const)
    for (const [path, document] of [
      ['/data/large', large],
      ['/data/huge', huge],
    ] as const)
      test(`that is large is compressed with ${coding} for a client that accepts it: ${path}`, async () => {
        const response = await get(path, { 'accept-encoding': coding })
        expect(response.headers.get('content-encoding')).toBe(coding)
        expect(response.headers.get('vary')).toBe('Accept-Encoding')
        expect(response.headers.get('content-length')).toBeNull()
        expect(response.headers.get('x-request-id')).not.toBeNull()
        expect(JSON.parse(await decoded(response))).toEqual(document)
      })

  test('that is large is not compressed for other clients, and has Vary for caches', async () => {
    const response = await get('/data/large')
    expect(response.headers.get('content-encoding')).toBeNull()
    expect(response.headers.get('vary')).toBe('Accept-Encoding')
    expect(await response.json()).toEqual(large)
  })

  test('that is small, a problem, a probe or a scrape is not compressed', async () => {
    for (const path of ['/data/small', '/data/none', '/health', '/metrics']) {
      const { headers } = await get(path, { 'accept-encoding': 'gzip' })
      expect({ path, coding: headers.get('content-encoding') }).toEqual({ path, coding: null })
    }
  })

  test('that is a list, the OpenAPI document or a file of the docs is compressed as well', async () => {
    for (const path of [
      '/data?limit=10',
      '/openapi.json',
      '/docs/swagger-ui.css',
      '/docs/swagger-ui-bundle.js',
    ]) {
      const plain = await (await get(path)).text()
      const response = await get(path, { 'accept-encoding': 'gzip' })
      expect({ path, coding: response.headers.get('content-encoding') }).toEqual({ path, coding: 'gzip' })
      expect((await decoded(response)) === plain).toBe(true)
    }
  })

  test('names Origin and Accept-Encoding in Vary when it depends on both', async () => {
    const service = createApp(appDeps({ store, compress: true, cors: { origins: ['https://app.example'] } }))
    const response = await service.request('/data/large', { headers: { 'accept-encoding': 'gzip' } })
    expect(response.headers.get('vary')?.split(', ').toSorted()).toEqual(['Accept-Encoding', 'Origin'])
  })

  test('has a different ETag in each coding, which If-None-Match and If-Match accept', async () => {
    const gzip = { 'accept-encoding': 'gzip' }
    const plainTag = (await get('/data/large')).headers.get('etag') ?? ''
    const tag = (await get('/data/large', gzip)).headers.get('etag') ?? ''
    expect(tag).toBe(plainTag.replace(/"$/, '-gzip"'))

    for (const [known, answered] of [
      [tag, tag],
      [plainTag, plainTag],
      [`"other", ${tag}`, tag],
      [`W/${tag}`, tag],
      [`W/${plainTag}`, plainTag],
      ['*', plainTag],
    ] as const) {
      const response = await get('/data/large', { ...gzip, 'if-none-match': known })
      expect({ status: response.status, tag: response.headers.get('etag') }).toEqual({
        status: 304,
        tag: answered,
      })
      expect(response.headers.get('vary')).toBe('Accept-Encoding')
    }
    const put = (ifMatch: string) =>
      app.request('/data/large', {
        method: 'PUT',
        body: JSON.stringify(large),
        headers: { 'content-type': 'application/json', 'if-match': ifMatch },
      })
    expect((await put('"other-gzip"')).status).toBe(412)
    expect((await put(tag)).status).toBe(200)
  })

  test('that is small has no Vary, and neither has its 304', async () => {
    const { headers } = await get('/data/small')
    const known = await get('/data/small', { 'if-none-match': headers.get('etag') ?? '' })
    expect([known.status, headers.get('vary'), known.headers.get('vary')]).toEqual([304, null, null])
  })

  test('is never compressed when compression is off', async () => {
    const service = createApp(appDeps({ store }))
    const response = await service.request('/data/large', { headers: { 'accept-encoding': 'gzip' } })
    expect(response.headers.get('content-encoding')).toBeNull()
    expect(response.headers.get('vary')).toBeNull()
  })
})
