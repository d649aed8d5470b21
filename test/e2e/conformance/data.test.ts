import { afterAll, describe, expect, test } from 'bun:test'
import { createItem, deleteDocuments, type Item, newItem, remember } from './documents.ts'
import { expectProblem, pointersOf } from './problems.ts'
import { type Answer, ask, invalidStatus, resolve, uniqueName } from './service.ts'
import { testUnless } from './test-unless.ts'

interface Created {
  readonly message: string
  readonly item: Readonly<Record<string, unknown>> & { readonly id: string | number }
}

// A document without an id is accepted unless the service has a schema for documents.
const withoutId = await ask('POST', '/data', { json: { name: 'conformance' } })
if (withoutId.status === 201) remember(withoutId.json<Created>().item.id)
const hasSchema = withoutId.status === 201 ? undefined : 'DATA_SCHEMA restricts documents'
const anyObject = withoutId.status === 201 ? 'any object is a document here (no DATA_SCHEMA)' : undefined

afterAll(deleteDocuments)

const etagOf = ({ headers }: Answer): string => headers.get('etag') ?? 'missing'

describe('POST /data', () => {
  test('responds 201 with the message, the item, its Location and its ETag', async () => {
    const item = newItem()
    const answer = await ask('POST', '/data', { json: item })
    expect(answer.status).toBe(201)
    expect(answer.json()).toEqual({ message: 'created', item } as object)
    expect(resolve(answer.headers.get('location'))).toEndWith(`/data/${item.id}`)
    expect(etagOf(answer)).toMatch(/^"[^"]+"$/)
  })

  test('stores the document: after a 201 it can be read at its Location', async () => {
    for (let i = 0; i < 10; i++) {
      const item = newItem(`stored-${i}`)
      const answer = await ask('POST', '/data', { json: item })
      const read = await ask('GET', resolve(answer.headers.get('location')))
      expect({ status: read.status, body: read.json<Item>() }).toEqual({ status: 200, body: item })
      expect(etagOf(read)).toBe(etagOf(answer))
    }
  })

  test('returns a document exactly as it was sent, including digits and spaces', async () => {
    const { id } = newItem()
    const body = `{ "id": ${id}, "name": "\\u0041 é 😀", "value": 1.10000000000000000000000001 }`
    expect((await ask('POST', '/data', { body })).status).toBe(201)
    expect((await ask('GET', `/data/${id}`)).text).toBe(body)
  })

  test('responds 409 to a taken id and keeps the first document', async () => {
    const item = await createItem('first')
    const second = await ask('POST', '/data', { json: { ...item, name: 'second' } })
    expectProblem(second, 409, 'document-exists')
    expect((await ask('GET', `/data/${item.id}`)).json<Item>().name).toBe('first')
  })

  test('accepts exactly one of several simultaneous documents with the same id', async () => {
    const item = newItem()
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, i) => ask('POST', '/data', { json: { ...item, value: i } })),
    )
    expect(answers.map(({ status }) => status).toSorted()).toEqual([201, ...Array(7).fill(409)])
  })

  testUnless(hasSchema, 'assigns an id to a document without one', async () => {
    expect(withoutId.status).toBe(201)
    const { item } = withoutId.json<Created>()
    expect(String(item.id)).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
    expect((await ask('GET', `/data/${item.id}`)).json<object>()).toEqual(item)
  })

  testUnless(hasSchema, 'accepts any JSON object with a string id', async () => {
    const document = { id: uniqueName(), list: [1, { deep: [null, true] }], empty: {} }
    remember(document.id)
    expect((await ask('POST', '/data', { json: document })).status).toBe(201)
    expect((await ask('GET', `/data/${document.id}`)).json<object>()).toEqual(document)
  })

  testUnless(hasSchema, 'treats 7 and "7" as the same id', async () => {
    const { id } = await createItem()
    expectProblem(await ask('POST', '/data', { json: { id: String(id) } }), 409, 'document-exists')
  })

  for (const [what, change, pointer] of [
    ['another type for a member', { value: '7.5' }, '/value'],
    ['a fraction for a whole number', { id: 1.5 }, '/id'],
    ['an extra member', { color: 'red' }, '/color'],
    ['a missing member', { name: undefined }, '/name'],
  ] as const)
    testUnless(anyObject, `rejects ${what} by its schema and names ${pointer}`, async () => {
      const answer = await ask('POST', '/data', { json: { ...newItem(), ...change } })
      expect(pointersOf(expectProblem(answer, invalidStatus, 'invalid-input'))).toEqual([pointer])
    })

  for (const [what, id] of [
    ['is negative', -1],
    ['has a fraction', 1.5],
    ['is true', true],
    ['is an object', {}],
    ['is empty', ''],
    ['holds a slash', 'a/b'],
    ['is two dots', '..'],
    ['is longer than 128 characters', 'x'.repeat(129)],
  ] as const)
    test(`rejects an id that ${what} and names it`, async () => {
      const answer = await ask('POST', '/data', { json: { ...newItem(), id } })
      const problem = expectProblem(answer, invalidStatus, 'invalid-input')
      expect(new Set(pointersOf(problem))).toEqual(new Set(['/id']))
    })

  for (const [what, body, code] of [
    ['malformed JSON', '{"id": 1', 'malformed-json'],
    ['an empty body', '', 'malformed-json'],
    ['an array', '[]', 'invalid-input'],
    ['a number', '5', 'invalid-input'],
    ['null', 'null', 'invalid-input'],
  ] as const)
    test(`rejects ${what} with a problem`, async () => {
      expectProblem(await ask('POST', '/data', { body }), invalidStatus, code)
    })

  test('rejects media types other than JSON with 415', async () => {
    const headers = { 'content-type': 'text/plain' }
    expectProblem(await ask('POST', '/data', { json: newItem(), headers }), 415, 'unsupported-media-type')
  })

  test('rejects a document above the limit with 413', async () => {
    const item = newItem('x'.repeat(33 * 1_024 * 1_024))
    expectProblem(await ask('POST', '/data', { json: item }), 413, 'body-too-large')
  })
})

describe('Idempotency-Key on POST /data', () => {
  test('makes a repetition safe: the same response and one document', async () => {
    const headers = { 'idempotency-key': uniqueName() }
    const item = newItem()
    const first = await ask('POST', '/data', { json: item, headers })
    const second = await ask('POST', '/data', { json: item, headers })
    const lookOf = (answer: Answer) => ({
      status: answer.status,
      text: answer.text,
      location: answer.headers.get('location'),
      etag: etagOf(answer),
    })
    expect(first.status).toBe(201)
    expect(lookOf(second)).toEqual(lookOf(first))
  })

  test('is rejected with 422 when the body differs', async () => {
    const headers = { 'idempotency-key': uniqueName() }
    expect((await ask('POST', '/data', { json: newItem(), headers })).status).toBe(201)
    expectProblem(await ask('POST', '/data', { json: newItem(), headers }), 422, 'idempotency-key-reused')
  })

  test('is rejected with 400 when it contains spaces or is too long', async () => {
    for (const key of ['a b', 'x'.repeat(256)]) {
      const headers = { 'idempotency-key': key }
      expectProblem(await ask('POST', '/data', { json: newItem(), headers }), 400, 'invalid-header')
    }
  })
})

describe('GET /data/{id}', () => {
  test('responds 404 with a problem to an unknown id', async () => {
    expectProblem(await ask('GET', `/data/${uniqueName()}`), 404, 'not-found')
  })

  test('responds 304 without a body to the version that the client has', async () => {
    const { id } = await createItem()
    const etag = etagOf(await ask('GET', `/data/${id}`))
    const same = await ask('GET', `/data/${id}`, { headers: { 'if-none-match': etag } })
    expect({ status: same.status, body: same.text, etag: etagOf(same) }).toEqual({
      status: 304,
      body: '',
      etag,
    })
    const other = await ask('GET', `/data/${id}`, { headers: { 'if-none-match': '"other"' } })
    expect(other.status).toBe(200)
  })

  test('answers HEAD without the document', async () => {
    const { id } = await createItem()
    const get = await ask('GET', `/data/${id}`)
    const head = await ask('HEAD', `/data/${id}`)
    expect({ status: head.status, body: head.text, etag: etagOf(head) }).toEqual({
      status: 200,
      body: '',
      etag: etagOf(get),
    })
    expect(head.headers.get('content-length')).toBe(`${Buffer.byteLength(get.text)}`)
  })
})

describe('PUT /data/{id}', () => {
  test('responds 201 to a new document, and 200 with a new ETag to a replacement', async () => {
    const item = newItem()
    const created = await ask('PUT', `/data/${item.id}`, { json: item })
    const replaced = await ask('PUT', `/data/${item.id}`, { json: { ...item, value: 8 } })
    expect([created.status, replaced.status]).toEqual([201, 200])
    expect(etagOf(replaced)).not.toBe(etagOf(created))
    expect((await ask('GET', `/data/${item.id}`)).json<Item>().value).toBe(8)
  })

  test('replaces only the version in If-Match and responds 412 to any other', async () => {
    const item = await createItem()
    const etag = etagOf(await ask('GET', `/data/${item.id}`))
    const put = (ifMatch: string, value: number) =>
      ask('PUT', `/data/${item.id}`, { json: { ...item, value }, headers: { 'if-match': ifMatch } })
    expectProblem(await put('"other"', 1), 412, 'precondition-failed')
    expect((await put(etag, 2)).status).toBe(200)
    expectProblem(await put(etag, 3), 412, 'precondition-failed')
    expect((await ask('GET', `/data/${item.id}`)).json<Item>().value).toBe(2)
  })

  test('lets one of several simultaneous writers with the same version win', async () => {
    const item = await createItem()
    const headers = { 'if-match': etagOf(await ask('GET', `/data/${item.id}`)) }
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, value) =>
        ask('PUT', `/data/${item.id}`, { json: { ...item, value }, headers }),
      ),
    )
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, ...Array(7).fill(412)])
  })

  test('rejects a document whose id differs from the path', async () => {
    const item = newItem()
    const answer = await ask('PUT', `/data/${item.id}`, { json: { ...item, id: item.id + 1 } })
    expect(pointersOf(expectProblem(answer, invalidStatus, 'invalid-input'))).toEqual(['/id'])
  })
})

describe('DELETE /data/{id}', () => {
  test('responds 204 without a body, then 404', async () => {
    const { id } = await createItem()
    const deleted = await ask('DELETE', `/data/${id}`)
    expect({ status: deleted.status, body: deleted.text }).toEqual({ status: 204, body: '' })
    expectProblem(await ask('GET', `/data/${id}`), 404, 'not-found')
    expectProblem(await ask('DELETE', `/data/${id}`), 404, 'not-found')
  })

  test('responds 412 when If-Match names another version, and keeps the document', async () => {
    const { id } = await createItem()
    const answer = await ask('DELETE', `/data/${id}`, { headers: { 'if-match': '"other"' } })
    expectProblem(answer, 412, 'precondition-failed')
    expect((await ask('GET', `/data/${id}`)).status).toBe(200)
  })
})

describe('GET /data', () => {
  /** How many pages of the list to read in a service in use. */
  const maxPages = 50

  test('responds with a JSON array', async () => {
    const answer = await ask('GET', '/data')
    expect(answer.status).toBe(200)
    expect(Array.isArray(answer.json())).toBe(true)
  })

  test('pages by limit and the cursor in Link, in order of creation without repetition', async () => {
    const own: number[] = []
    for (let i = 0; i < 5; i++) own.push((await createItem(`listed-${i}`)).id)
    const listed: string[] = []
    let next: string | undefined = '/data?limit=2'
    let pages = 0
    for (; next !== undefined && pages < maxPages; pages++) {
      const page: Answer = await ask('GET', next)
      expect(page.status).toBe(200)
      const documents = page.json<{ id: string | number }[]>()
      expect(documents.length).toBeLessThanOrEqual(2)
      listed.push(...documents.map(({ id }) => String(id)))
      const link = /^<([^>]+)>; rel="next"$/.exec(page.headers.get('link') ?? '')?.[1]
      expect({ link, header: page.headers.get('link') === null }).toEqual({
        link,
        header: link === undefined,
      })
      next = link === undefined ? undefined : resolve(link)
    }
    expect(pages).toBeGreaterThanOrEqual(3)
    expect(new Set(listed).size).toBe(listed.length)
    // In a service with many documents, those of this test may be beyond the pages read.
    if (next === undefined) expect(listed.filter((id) => own.includes(Number(id)))).toEqual(own.map(String))
  })

  for (const query of ['limit=0', 'limit=1001', 'limit=ten', 'limit=1.5', 'cursor=nonsense', 'order=name'])
    test(`rejects ?${query} and names the parameter`, async () => {
      const problem = expectProblem(await ask('GET', `/data?${query}`), 400, 'invalid-query')
      expect(pointersOf(problem)).toEqual([`/${query.split('=')[0]}`])
    })
})
