import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import itemSchema from '../../../docs/examples/item.schema.json' with { type: 'json' }
import { openDocumentChecker } from '../../../src/documents/checking/document-checker.ts'
import type { DocumentStore } from '../../../src/documents/document-store.ts'
import { openDocumentStore } from '../../../src/documents/open.ts'
import { type App, createApp } from '../../../src/http/app.ts'
import { appDeps } from '../../support/app-deps.ts'
import { clientByHeader, clientNames } from '../../support/client-by-header.ts'
import { expectProblem, placesOf } from '../../support/problems.ts'

let store: DocumentStore
let app: App

beforeAll(async () => {
  store = await openDocumentStore({ url: 'sqlite::memory:', dataDir: '.' })
  app = createApp(appDeps({ store }))
})
afterAll(async () => {
  await store.close()
})

/** A request with a JSON body, and the length that every body over a socket has. */
const json = (method: 'POST' | 'PUT', body: string, headers: Record<string, string> = {}): RequestInit => ({
  method,
  headers: {
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(body)),
    ...headers,
  },
  body,
})

/** Creates a document, and returns its id and the ETag of its version. */
async function create(body: string): Promise<{ id: string; etag: string }> {
  const { status, headers } = await app.request('/data', json('POST', body))
  expect(status).toBe(201)
  return { id: headers.get('location')?.split('/').at(-1) ?? '', etag: headers.get('etag') ?? '' }
}

const text = async (response: Response | Promise<Response>): Promise<string> => (await response).text()

describe('creating a document', () => {
  test('responds with the document, its location and its version', async () => {
    const response = await app.request('/data', json('POST', '{"id":"first","name":"a"}'))
    expect(response.status).toBe(201)
    expect(await response.json()).toEqual({ message: 'created', item: { id: 'first', name: 'a' } })
    expect(response.headers.get('location')).toBe('/data/first')
    expect(response.headers.get('etag')).toMatch(/^"[\w-]+"$/)
  })

  test('without an id adds a UUID v7 before its other members', async () => {
    const created = await text(app.request('/data', json('POST', '{"name":"b"}')))
    const { item } = JSON.parse(created)
    expect(item.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(created).toBe(`{"message":"created","item":{"id":"${item.id}","name":"b"}}`)
  })

  test('accepts the empty object', async () => {
    const { id } = await create(' {\n } ')
    expect(await (await app.request(`/data/${id}`)).json()).toEqual({ id })
  })

  test('treats 7 and "7" as one id, and refuses the second document', async () => {
    expect((await app.request('/data', json('POST', '{"id":7}'))).status).toBe(201)
    await expectProblem(await app.request('/data', json('POST', '{"id":"7"}')), 409, 'document-exists')
  })

  test('under /v1 creates the same document, with its location under /v1', async () => {
    const { headers } = await app.request('/v1/data', json('POST', '{"id":"under-v1"}'))
    expect(headers.get('location')).toBe('/v1/data/under-v1')
    expect((await app.request('/data/under-v1')).status).toBe(200)
  })

  test.each([
    ['an array', '[1]', ' type'],
    ['a string', '"a"', ' type'],
    ['null', 'null', ' type'],
    ['an id with a slash', '{"id":"a/b"}', '/id invalid-value'],
    ['an empty id', '{"id":""}', '/id invalid-value'],
    ['an id that is too long', `{"id":"${'a'.repeat(129)}"}`, '/id invalid-value'],
    ['a negative id', '{"id":-1}', '/id invalid-value'],
    ['a fractional id', '{"id":1.5}', '/id invalid-value'],
    ['an id beyond the integers of a double', '{"id":12345678901234567890}', '/id invalid-value'],
    ['an id of another type', '{"id":{}}', '/id invalid-value'],
    ['an id of path segments', '{"id":"../.."}', '/id invalid-value'],
  ])('refuses %s and names the place', async (_, body, place) => {
    const problem = await expectProblem(await app.request('/data', json('POST', body)), 400, 'invalid-input')
    expect(placesOf(problem)).toEqual([place])
  })

  test('accepts 100 levels of nesting, refuses 101, and survives 100,000', async () => {
    const nested = (levels: number): string => `{"a":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`
    expect((await app.request('/data', json('POST', nested(100)))).status).toBe(201)
    const refused = await app.request('/data', json('POST', nested(101)))
    expect(placesOf(await expectProblem(refused, 400, 'invalid-input'))).toEqual([' too-deep'])
    expect((await app.request('/data', json('POST', nested(100_000)))).status).toBe(400)
    expect((await app.request('/data', json('POST', '{}'))).status).toBe(201)
  })

  test('checks a large document as it checks a small one, and stores it as it was sent', async () => {
    const large = (id: string) => `{"id":${id},"a":[${'1.0,'.repeat(200_000)}1]}`
    const response = await app.request(
      '/data',
      json('POST', large('"large"'), { 'idempotency-key': 'large-1' }),
    )
    expect(response.status).toBe(201)
    expect(await text(app.request('/data/large'))).toBe(large('"large"'))
    const again = await app.request('/data', json('POST', large('"large"'), { 'idempotency-key': 'large-1' }))
    expect([again.status, again.headers.get('etag')]).toEqual([201, response.headers.get('etag')])
    const other = await app.request('/data', json('POST', large('"other"'), { 'idempotency-key': 'large-1' }))
    await expectProblem(other, 422, 'idempotency-key-reused')
    expect((await app.request('/data/large', json('PUT', large('"large" ')))).status).toBe(200)
    const invalid = await app.request('/data', json('POST', large('-1')))
    expect(placesOf(await expectProblem(invalid, 400, 'invalid-input'))).toEqual(['/id invalid-value'])
  })

  test('refuses a document above the limit with 413', async () => {
    const { limits } = appDeps()
    const small = createApp(appDeps({ store, limits: { ...limits, maxDocumentBytes: 20 } }))
    expect((await small.request('/data', json('POST', '{"a":"12345678901"}'))).status).toBe(201)
    const refused = await small.request('/data', json('POST', '{"a":"1234567890123"}'))
    await expectProblem(refused, 413, 'body-too-large')
  })
})

describe('a document is returned as it was sent:', () => {
  test.each([
    ['integers beyond a double', '{"n":12345678901234567890123}'],
    ['decimals beyond a double', '{"n":0.1000000000000000055511151231257827}'],
    ['trailing zeros and exponents', '{"n":[1.10,1E400,-0,5e-324]}'],
    ['NUL and lone surrogates, escaped', '{"t":"\\u0000 \\ud800 \\udc00"}'],
    ['emoji', '{"t":"😀"}'],
    ['members that prototypes have', '{"__proto__":{"a":1},"constructor":1,"toString":2}'],
    ['repeated members', '{"a":1,"a":2}'],
  ])('%s', async (_, sent) => {
    const { id } = await create(sent)
    expect(await text(app.request(`/data/${id}`))).toBe(sent.replace('{', `{"id":"${id}",`))
  })
})

describe('reading, replacing and deleting', () => {
  test('a missing document is 404', async () => {
    await expectProblem(await app.request('/data/none'), 404, 'not-found')
    await expectProblem(await app.request('/data/none', { method: 'DELETE' }), 404, 'not-found')
    await expectProblem(await app.request('/data/a%2Fb'), 404, 'not-found')
  })

  test('an id that no document can have is 404 for every method', async () => {
    for (const path of ['/data/a%2Fb', '/data/a%20b', `/data/${'a'.repeat(129)}`])
      for (const init of [{}, json('PUT', '{}'), { method: 'DELETE' }])
        await expectProblem(await app.request(path, init), 404, 'not-found')
  })

  test('a version that the client already has is 304', async () => {
    const { id, etag } = await create('{"a":1}')
    const same = await app.request(`/data/${id}`, { headers: { 'if-none-match': `"other", ${etag}` } })
    expect([same.status, await same.text()]).toEqual([304, ''])
    expect(same.headers.get('etag')).toBe(etag)
    const other = await app.request(`/data/${id}`, { headers: { 'if-none-match': '"other"' } })
    expect(other.status).toBe(200)
  })

  test('PUT creates, then replaces, and each version has its own ETag', async () => {
    const first = await app.request('/data/put', json('PUT', '{"a":1}'))
    const second = await app.request('/data/put', json('PUT', '{"id":"put","a":2}'))
    expect([first.status, second.status]).toEqual([201, 200])
    expect(first.headers.get('etag')).not.toBe(second.headers.get('etag'))
    expect(await text(app.request('/data/put'))).toBe('{"id":"put","a":2}')
  })

  test('PUT refuses a document whose id differs from the path', async () => {
    const refused = await app.request('/data/put', json('PUT', '{"id":"other"}'))
    expect(placesOf(await expectProblem(refused, 400, 'invalid-input'))).toEqual(['/id mismatch'])
  })

  test('If-Match accepts the current version only, and never a missing document', async () => {
    const { id, etag } = await create('{"a":1}')
    const put = async (ifMatch: string) =>
      (await app.request(`/data/${id}`, json('PUT', '{"a":2}', { 'if-match': ifMatch }))).status
    expect(await put('"other"')).toBe(412)
    expect(await put(`W/${etag}`)).toBe(412)
    expect(await put(etag)).toBe(200)
    expect(await put(etag)).toBe(412)
    expect(await put('*')).toBe(200)
    const absent = await app.request('/data/absent', json('PUT', '{}', { 'if-match': '*' }))
    await expectProblem(absent, 412, 'precondition-failed')
    const stale = await app.request(`/data/${id}`, { method: 'DELETE', headers: { 'if-match': etag } })
    await expectProblem(stale, 412, 'precondition-failed')
    expect((await app.request(`/data/${id}`, { method: 'DELETE' })).status).toBe(204)
    expect((await app.request(`/data/${id}`)).status).toBe(404)
  })
})

describe('listing documents', () => {
  test('pages follow in order of creation, with each document once', async () => {
    await using listed = await openEmpty()
    const ids = Array.from({ length: 25 }, (_, i) => `doc-${24 - i}`)
    for (const id of ids) await listed.app.request('/data', json('POST', JSON.stringify({ id })))
    const seen: string[] = []
    let next: string | undefined = '/v1/data?limit=10'
    while (next !== undefined) {
      const response = await listed.app.request(next)
      const page = (await response.json()) as { id: string }[]
      seen.push(...page.map(({ id }) => id))
      next = /^<(.+)>; rel="next"$/.exec(response.headers.get('link') ?? '')?.[1]
      if (next !== undefined) expect(next).toStartWith('/v1/data?limit=10&cursor=')
    }
    expect(seen).toEqual(ids)
  })

  test('a large page, which is streamed, is the same JSON as a small one', async () => {
    await using listed = await openEmpty()
    const texts = Array.from({ length: 12 }, (_, i) => `${i}${'é'.repeat(40_000)}`)
    for (const one of texts) await listed.app.request('/data', json('POST', JSON.stringify({ text: one })))
    const response = await listed.app.request('/data')
    const page = (await response.json()) as { text: string }[]
    expect(page.map((one) => one.text)).toEqual(texts)
    expect(response.headers.get('content-type')).toBe('application/json')
    expect(response.headers.get('x-request-id')).toBeTruthy()
  })

  test.each([
    ['limit=0', '/limit'],
    ['limit=1001', '/limit'],
    ['limit=ten', '/limit'],
    ['limit=1.5', '/limit'],
    ['page=2', '/page'],
    ['cursor=zzz', '/cursor'],
    [`cursor=${'a'.repeat(101)}`, '/cursor'],
  ])('the query %s is refused and the parameter named', async (query, pointer) => {
    const problem = await expectProblem(await app.request(`/data?${query}`), 400, 'invalid-query')
    expect(problem.errors).toMatchObject([{ pointer }])
  })

  /** An app with an empty store. */
  async function openEmpty() {
    const empty = await openDocumentStore({ url: 'sqlite::memory:', dataDir: '.' })
    return { app: createApp(appDeps({ store: empty })), [Symbol.asyncDispose]: () => empty.close() }
  }
})

describe('Idempotency-Key', () => {
  test('100 concurrent requests with one key create one document and get equal responses', async () => {
    const init = json('POST', '{"n":1}', { 'idempotency-key': 'hundred' })
    const responses = await Promise.all(
      Array.from({ length: 100 }, async () => {
        const response = await app.request('/data', init)
        return `${response.status} ${response.headers.get('location')} ${await response.text()}`
      }),
    )
    expect(new Set(responses).size).toBe(1)
    const [, location = ''] = (responses[0] ?? '').split(' ')
    expect((await app.request(location)).status).toBe(200)
  })

  test('the same key with another body is 422', async () => {
    const headers = { 'idempotency-key': 'reused' }
    expect((await app.request('/data', json('POST', '{"n":1}', headers))).status).toBe(201)
    const other = await app.request('/data', json('POST', '{"n":2}', headers))
    await expectProblem(other, 422, 'idempotency-key-reused')
  })

  test('a repeated request gets the first response, even after the document changed', async () => {
    const init = json('POST', '{"id":"kept","n":1}', { 'idempotency-key': 'kept' })
    const first = await text(app.request('/data', init))
    await app.request('/data/kept', json('PUT', '{"n":2}'))
    expect(await text(app.request('/data', init))).toBe(first)
  })

  test('belongs to its client: API keys, subjects and anonymous clients do not share keys', async () => {
    const shared = createApp(appDeps({ store, applicationChecks: [clientByHeader] }))
    const post = (client: string, body: string) =>
      shared.request('/data', json('POST', body, { 'idempotency-key': 'order-1', 'x-test-client': client }))
    const first = await Promise.all(clientNames.map(async (name) => text(post(name, '{"n":1}'))))
    expect(new Set(first).size).toBe(clientNames.length)
    expect(await Promise.all(clientNames.map(async (name) => text(post(name, '{"n":1}'))))).toEqual(first)
    await expectProblem(await post('key:one', '{"n":2}'), 422, 'idempotency-key-reused')
  })

  test('an invalid key is refused', async () => {
    const refused = await app.request('/data', json('POST', '{}', { 'idempotency-key': 'two words' }))
    await expectProblem(refused, 400, 'invalid-header')
  })
})

describe('DATA_SCHEMA', () => {
  const createStrictApp = async () =>
    createApp(appDeps({ store, checker: await openDocumentChecker({ schema: itemSchema, maxThreads: 1 }) }))

  test('a document that satisfies the schema is stored', async () => {
    const { request } = await createStrictApp()
    const response = await request('/data', json('POST', '{"id":1001,"name":"a","value":1.5}'))
    expect(response.status).toBe(201)
  })

  test.each([
    ['a missing member', '{"id":1002,"name":"a"}', '/value required'],
    ['a member of another type', '{"id":1002,"name":5,"value":1}', '/name type'],
    ['an additional member', '{"id":1002,"name":"a","value":1,"x":1}', '/x additionalProperties'],
  ])('%s is refused and named', async (_, body, place) => {
    const { request } = await createStrictApp()
    for (const response of [
      await request('/data', json('POST', body)),
      await request('/data/1002', json('PUT', body)),
    ])
      expect(placesOf(await expectProblem(response, 400, 'invalid-input'))).toEqual([place])
  })
})

test('while the store is unavailable, /data is 503 with Retry-After and /payload works', async () => {
  const { request } = createApp(appDeps())
  for (const response of [
    await request('/data'),
    await request('/data/7'),
    await request('/data', json('POST', '{}')),
    await request('/data/7', json('PUT', '{}')),
    await request('/data/7', { method: 'DELETE' }),
  ]) {
    expect(response.headers.get('retry-after')).toBe('1')
    await expectProblem(response, 503, 'store-unavailable')
  }
  expect((await request('/payload', json('POST', '{"numbers":[1],"text":"a"}'))).status).toBe(200)
})
