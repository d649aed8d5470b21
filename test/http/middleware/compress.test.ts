import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { gunzipSync } from 'node:zlib'
import { openDatabase } from '../../../src/database/open.ts'
import type { DocumentStore } from '../../../src/documents/document-store.ts'
import { createDocumentStore } from '../../../src/documents/open.ts'
import { createApp, type ServiceApp } from '../../../src/http/app.ts'
import { codingFor } from '../../../src/http/middleware/compress.ts'
import { appOptions } from '../../support/app-options.ts'
import { post, request } from '../../support/requests.ts'

describe('the coding of an answer', () => {
  for (const [accepted, coding] of [
    [null, undefined],
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
    test(`asked for with ${accepted} is ${coding}`, () => {
      expect(codingFor(accepted)).toBe(coding)
    })
})

describe('an answer', () => {
  let app: ServiceApp
  let store: DocumentStore
  let close: () => Promise<void>
  const large = { id: 'large', text: 'many words '.repeat(5_000) }
  const huge = { id: 'huge', text: 'many words '.repeat(80_000) }

  beforeAll(async () => {
    const database = await openDatabase({ url: 'sqlite::memory:', dataDir: '.' })
    store = createDocumentStore(database)
    app = createApp(appOptions({ store, compress: true }))
    for (const document of [{ id: 'small' }, large, huge]) await app.fetch(post('/data', document))
    close = async () => {
      await store.close()
      await database.close()
    }
  })
  afterAll(() => close())

  const ask = async (path: string, headers: Record<string, string> = {}): Promise<Response> =>
    await app.fetch(request(path, { headers }))
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
      test(`that is large, ${path}, comes in ${coding} to who asks for it, and is the same`, async () => {
        const response = await ask(path, { 'accept-encoding': coding })
        expect(response.headers.get('content-encoding')).toBe(coding)
        expect(response.headers.get('vary')).toBe('Accept-Encoding')
        expect(response.headers.get('content-length')).toBeNull()
        expect(response.headers.get('x-request-id')).not.toBeNull()
        expect(JSON.parse(await decoded(response))).toEqual(document)
      })

  test('that is large comes as it is to everybody else, and caches are told that it differs', async () => {
    const response = await ask('/data/large')
    expect(response.headers.get('content-encoding')).toBeNull()
    expect(response.headers.get('vary')).toBe('Accept-Encoding')
    expect(await response.json()).toEqual(large)
  })

  test('that is small, a refusal, a probe or a scrape comes as it is', async () => {
    for (const path of ['/data/small', '/data/none', '/health', '/metrics']) {
      const { headers } = await ask(path, { 'accept-encoding': 'gzip' })
      expect({ path, coding: headers.get('content-encoding') }).toEqual({ path, coding: null })
    }
  })

  test('that is a list, the page of the API or a file of it is compressed, too', async () => {
    for (const path of [
      '/data?limit=10',
      '/openapi.json',
      '/docs/swagger-ui.css',
      '/docs/swagger-ui-bundle.js',
    ]) {
      const plain = await (await ask(path)).text()
      const response = await ask(path, { 'accept-encoding': 'gzip' })
      expect({ path, coding: response.headers.get('content-encoding') }).toEqual({ path, coding: 'gzip' })
      expect((await decoded(response)) === plain).toBe(true)
    }
  })

  test('says that it depends on both, where it depends on who asks as well', async () => {
    const service = createApp(appOptions({ store, compress: true, corsOrigins: ['https://app.example'] }))
    const response = await service.fetch(request('/data/large', { headers: { 'accept-encoding': 'gzip' } }))
    expect(response.headers.get('vary')).toBe('Origin, Accept-Encoding')
  })

  test('has a tag of its own in a coding, by which it is found unchanged and may be changed', async () => {
    const gzip = { 'accept-encoding': 'gzip' }
    const plainTag = (await ask('/data/large')).headers.get('etag') ?? ''
    const tag = (await ask('/data/large', gzip)).headers.get('etag') ?? ''
    expect(tag).toBe(plainTag.replace(/"$/, '-gzip"'))

    for (const [known, answered] of [
      [tag, tag],
      [plainTag, plainTag],
      [`"other", ${tag}`, tag],
    ] as const) {
      const response = await ask('/data/large', { ...gzip, 'if-none-match': known })
      expect({ status: response.status, tag: response.headers.get('etag') }).toEqual({
        status: 304,
        tag: answered,
      })
    }
    const put = (ifMatch: string) =>
      app.fetch(
        request('/data/large', {
          method: 'PUT',
          body: JSON.stringify(large),
          headers: { 'content-type': 'application/json', 'if-match': ifMatch },
        }),
      )
    expect((await put('"other-gzip"')).status).toBe(412)
    expect((await put(tag)).status).toBe(200)
  })

  test('is never compressed by a service that leaves it to a proxy', async () => {
    const service = createApp(appOptions({ store }))
    const response = await service.fetch(request('/data/large', { headers: { 'accept-encoding': 'gzip' } }))
    expect(response.headers.get('content-encoding')).toBeNull()
    expect(response.headers.get('vary')).toBeNull()
  })
})
