import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import itemSchema from '../../../docs/examples/item.schema.json' with { type: 'json' }
import type { DocumentStore } from '../../../src/documents/document-store.ts'
import { compileDocumentSchema } from '../../../src/documents/json-schema.ts'
import { openDocumentStore } from '../../../src/documents/open.ts'
import { type App, createApp } from '../../../src/http/app.ts'
import { appOptions } from '../../support/app-options.ts'

const json = { 'content-type': 'application/json' }

let store: DocumentStore
let app: App

beforeAll(async () => {
  store = await openDocumentStore({ url: 'sqlite::memory:', dataDir: '.' })
  app = createApp(appDeps({ store }))
})
afterAll(async () => {
  await store.close()
})

/** What a client sees of a response. */
const read = async (response: Response | Promise<Response>) => {
  const { status, headers } = await response
  return { status, headers, text: await (await response).text() }
}

const get = async (path: string, headers: Record<string, string> = {}) =>
  read(app.request(path, { headers }))

const write = async (method: 'POST' | 'PUT', path: string, body: string, headers = {}) =>
  read(app.request(path, { method, headers: { ...json, ...headers }, body }))

async function create(body: string): Promise<{ id: string; etag: string }> {
  const { status, headers } = await write('POST', '/data', body)
  expect(status).toBe(201)
  return { id: headers.get('location')?.split('/').at(-1) ?? '', etag: headers.get('etag') ?? '' }
}

function parseProblem(text: string): { code: string; errors?: { pointer: string; code: string }[] } {
  return JSON.parse(text)
}

describe('creating', () => {
  test('a document is answered with its id, its place and its version', async () => {
    const { status, headers, text } = await ask('/data', { body: '{"id":"first","name":"a"}' })
    expect(status).toBe(201)
    expect(JSON.parse(text)).toEqual({ message: 'created', item: { id: 'first', name: 'a' } })
    expect(headers.get('location')).toBe('/data/first')
    expect(headers.get('etag')).toMatch(/^"[\w-]+"$/)
  })

  test('a document without an id gets a UUID v7, in front of its other members', async () => {
    const { text } = await ask('/data', { body: '{"name":"b"}' })
    const { item } = JSON.parse(text)
    expect(item.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(text).toBe(`{"message":"created","item":{"id":"${item.id}","name":"b"}}`)
  })

  test('the empty object is a document', async () => {
    const { id } = await created(' {\n } ')
    expect(JSON.parse((await ask(`/data/${id}`)).text)).toEqual({ id })
  })

  test('7 and "7" are one document, and the second one is refused', async () => {
    expect((await ask('/data', { body: '{"id":7}' })).status).toBe(201)
    const again = await ask('/data', { body: '{"id":"7"}' })
    expect(again.status).toBe(409)
    expect(problemIn(again.text).code).toBe('document-exists')
  })

  test('a document under /v1 is the same document, and is placed there', async () => {
    const { headers } = await ask('/v1/data', { body: '{"id":"under-v1"}' })
    expect(headers.get('location')).toBe('/v1/data/under-v1')
    expect((await ask('/data/under-v1')).status).toBe(200)
  })

  test.each([
    ['an array', '[1]', '', 'type'],
    ['a text', '"a"', '', 'type'],
    ['null', 'null', '', 'type'],
    ['an id with a slash', '{"id":"a/b"}', '/id', 'invalid-value'],
    ['an empty id', '{"id":""}', '/id', 'invalid-value'],
    ['an id that is too long', `{"id":"${'a'.repeat(129)}"}`, '/id', 'invalid-value'],
    ['a negative id', '{"id":-1}', '/id', 'invalid-value'],
    ['a fractional id', '{"id":1.5}', '/id', 'invalid-value'],
    ['an id that no double holds', '{"id":12345678901234567890}', '/id', 'invalid-value'],
    ['an id of another type', '{"id":{}}', '/id', 'invalid-value'],
    ['dots that a path would lose', '{"id":"../.."}', '/id', 'invalid-value'],
  ])('%s is refused, and the place is named', async (_, body, pointer, code) => {
    const { status, text } = await ask('/data', { body })
    expect(status).toBe(400)
    expect(problemIn(text).errors).toMatchObject([{ pointer, code }])
  })

  test('a hundred levels are kept, one more is refused, and a hundred thousand do no harm', async () => {
    const nested = (levels: number): string => `{"a":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`
    expect((await ask('/data', { body: nested(100) })).status).toBe(201)
    const { status, text } = await ask('/data', { body: nested(101) })
    expect(status).toBe(400)
    expect(problemIn(text).errors).toMatchObject([{ pointer: '', code: 'too-deep' }])
    expect((await ask('/data', { body: nested(100_000) })).status).toBe(400)
    expect((await ask('/data', { body: '{}' })).status).toBe(201)
  })

  test('a document above the limit is refused with 413', async () => {
    const { limits } = appOptions()
    const small = createApp(appOptions({ store, limits: { ...limits, documentBytesMax: 20 } }))
    expect((await ask('/data', { body: '{"a":"12345678901"}', to: small })).status).toBe(201)
    expect((await ask('/data', { body: '{"a":"1234567890123"}', to: small })).status).toBe(413)
  })
})

describe('what was written comes back', () => {
  test.each([
    ['integers beyond a double', '{"n":12345678901234567890123}'],
    ['decimals beyond a double', '{"n":0.1000000000000000055511151231257827}'],
    ['trailing zeros and exponents', '{"n":[1.10,1E400,-0,5e-324]}'],
    ['NUL and lone surrogates, escaped', '{"t":"\\u0000 \\ud800 \\udc00"}'],
    ['emoji', '{"t":"😀"}'],
    ['members that prototypes have', '{"__proto__":{"a":1},"constructor":1,"toString":2}'],
    ['members given twice', '{"a":1,"a":2}'],
  ])('%s', async (_, text) => {
    const { id } = await created(text)
    expect((await ask(`/data/${id}`)).text).toBe(text.replace('{', `{"id":"${id}",`))
  })
})

describe('reading, replacing, deleting', () => {
  test('a document that is not there is 404, for every method that needs it', async () => {
    expect((await ask('/data/none')).status).toBe(404)
    expect((await ask('/data/none', { method: 'DELETE' })).status).toBe(404)
    expect((await ask('/data/a%2Fb')).status).toBe(404)
  })

  test('a version that the client has is not sent again', async () => {
    const { id, etag } = await created('{"a":1}')
    const same = await ask(`/data/${id}`, { headers: { 'if-none-match': `"other", ${etag}` } })
    expect(same).toMatchObject({ status: 304, text: '' })
    expect((await ask(`/data/${id}`, { headers: { 'if-none-match': '"other"' } })).status).toBe(200)
  })

  test('PUT creates, then replaces, and each version has an ETag of its own', async () => {
    const first = await ask('/data/put', { method: 'PUT', body: '{"a":1}' })
    const second = await ask('/data/put', { method: 'PUT', body: '{"id":"put","a":2}' })
    expect([first.status, second.status]).toEqual([201, 200])
    expect(first.headers.get('etag')).not.toBe(second.headers.get('etag'))
    expect((await ask('/data/put')).text).toBe('{"id":"put","a":2}')
  })

  test('PUT of another id than the path has is refused', async () => {
    const { status, text } = await ask('/data/put', { method: 'PUT', body: '{"id":"other"}' })
    expect(status).toBe(400)
    expect(problemIn(text).errors).toMatchObject([{ pointer: '/id', code: 'mismatch' }])
  })

  test('If-Match lets through the current version only, and nothing where there is no document', async () => {
    const { id, etag } = await created('{"a":1}')
    const put = (ifMatch: string) =>
      ask(`/data/${id}`, { method: 'PUT', body: '{"a":2}', headers: { 'if-match': ifMatch } })
    expect((await put('"other"')).status).toBe(412)
    expect((await put(`W/${etag}`)).status).toBe(412)
    expect((await put(etag)).status).toBe(200)
    expect((await put(etag)).status).toBe(412)
    expect((await put('*')).status).toBe(200)
    const absent = { method: 'PUT', body: '{}', headers: { 'if-match': '*' } }
    expect((await ask('/data/absent', absent)).status).toBe(412)
    const stale = { method: 'DELETE', headers: { 'if-match': etag } }
    expect((await ask(`/data/${id}`, stale)).status).toBe(412)
    expect((await ask(`/data/${id}`, { method: 'DELETE' })).status).toBe(204)
    expect((await ask(`/data/${id}`)).status).toBe(404)
  })
})

describe('listing', () => {
  test('pages follow each other in the order of creation, each document once', async () => {
    const own = await mkdtemp(join(tmpdir(), 'tally-data-list-'))
    const listed = await openDocumentStore({ dataDir: own })
    const to = createApp(appOptions({ store: listed }))
    const ids = Array.from({ length: 25 }, (_, i) => `doc-${24 - i}`)
    for (const id of ids) await ask('/data', { body: JSON.stringify({ id }), to })
    const seen: string[] = []
    let next: string | undefined = '/v1/data?limit=10'
    while (next !== undefined) {
      const { text, headers } = await ask(next, { to })
      seen.push(...JSON.parse(text).map(({ id }: { id: string }) => id))
      next = /^<(.+)>; rel="next"$/.exec(headers.get('link') ?? '')?.[1]
      if (next !== undefined) expect(next).toStartWith('/v1/data?limit=10&cursor=')
    }
    expect(seen).toEqual(ids)
    await listed.close()
    await rm(own, { recursive: true })
  })

  test('a large page is the same JSON as a small one', async () => {
    const own = await mkdtemp(join(tmpdir(), 'tally-data-large-'))
    const listed = await openDocumentStore({ dataDir: own })
    const to = createApp(appOptions({ store: listed }))
    const texts = Array.from({ length: 12 }, (_, i) => `${i}${'é'.repeat(40_000)}`)
    for (const text of texts) await ask('/data', { body: JSON.stringify({ text }), to })
    const { text, headers } = await ask('/data', { to })
    expect(JSON.parse(text).map((one: { text: string }) => one.text)).toEqual(texts)
    expect(headers.get('content-type')).toBe('application/json')
    expect(headers.get('x-request-id')).toBeTruthy()
    await listed.close()
    await rm(own, { recursive: true })
  })

  test.each([
    ['limit=0', '/limit'],
    ['limit=1001', '/limit'],
    ['limit=ten', '/limit'],
    ['limit=1.5', '/limit'],
    ['page=2', '/page'],
    ['cursor=zzz', '/cursor'],
    [`cursor=${'a'.repeat(101)}`, '/cursor'],
  ])('%s is refused, and the parameter is named', async (query, pointer) => {
    const { status, text } = await ask(`/data?${query}`)
    expect(status).toBe(400)
    expect(problemIn(text)).toMatchObject({ code: 'invalid-query', errors: [{ pointer }] })
  })
})

describe('Idempotency-Key', () => {
  test('a hundred requests with one key make one document and a hundred equal answers', async () => {
    const request = { body: '{"n":1}', headers: { 'idempotency-key': 'hundred' } }
    const answers = await Promise.all(Array.from({ length: 100 }, () => ask('/data', request)))
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1)
    const { item } = JSON.parse(answers[0]?.text ?? '')
    expect((await ask(`/data/${item.id}`)).status).toBe(200)
  })

  test('the same key with another body is refused with 422', async () => {
    const headers = { 'idempotency-key': 'reused' }
    expect((await ask('/data', { body: '{"n":1}', headers })).status).toBe(201)
    const other = await ask('/data', { body: '{"n":2}', headers })
    expect(other.status).toBe(422)
    expect(problemIn(other.text).code).toBe('idempotency-key-reused')
  })

  test('the first answer is given again after the document was changed', async () => {
    const request = { body: '{"id":"kept","n":1}', headers: { 'idempotency-key': 'kept' } }
    const first = await ask('/data', request)
    await ask('/data/kept', { method: 'PUT', body: '{"n":2}' })
    expect((await ask('/data', request)).text).toBe(first.text)
  })

  test('what is no key is refused', async () => {
    const { status, text } = await ask('/data', { body: '{}', headers: { 'idempotency-key': 'two words' } })
    expect(status).toBe(400)
    expect(problemIn(text).code).toBe('invalid-header')
  })
})

describe('DATA_SCHEMA', () => {
  const withSchema = async () =>
    createApp(appOptions({ store, documentSchema: await compileDocumentSchema(itemSchema) }))

  test('a document that satisfies the schema is kept', async () => {
    const to = await withSchema()
    expect((await ask('/data', { body: '{"id":1001,"name":"a","value":1.5}', to })).status).toBe(201)
  })

  test.each([
    ['a member that is missing', '{"id":1002,"name":"a"}', '/value', 'required'],
    ['one of another type', '{"id":1002,"name":5,"value":1}', '/name', 'type'],
    ['one that is too many', '{"id":1002,"name":"a","value":1,"x":1}', '/x', 'additionalProperties'],
  ])('%s is refused, and named', async (_, body, pointer, code) => {
    const { status, text } = await ask('/data', { body, to: await withSchema() })
    expect(status).toBe(400)
    expect(problemIn(text).errors).toMatchObject([{ pointer, code }])
  })

  test('a schema that is none is an error at the start', async () => {
    expect(compileDocumentSchema('no')).rejects.toThrow('must be an object')
    expect(compileDocumentSchema({ type: 'nothing' })).rejects.toThrow()
    expect(compileDocumentSchema({ unknownKeyword: 1 })).rejects.toThrow('unknownKeyword')
  })
})

test('while the store is away /data says 503 and when to ask again, and /payload works', async () => {
  const to = createApp(appOptions())
  for (const path of ['/data', '/data/7']) {
    const { status, headers, text } = await ask(path, { to })
    expect(status).toBe(503)
    expect(headers.get('retry-after')).toBe('1')
    expect(problemIn(text).code).toBe('store-unavailable')
  }
  expect((await ask('/data', { body: '{}', to })).status).toBe(503)
  expect((await ask('/payload', { body: '{"numbers":[1],"text":"a"}', to })).status).toBe(200)
})
