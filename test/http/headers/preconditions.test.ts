import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { DocumentStore } from '../../../src/documents/document-store.ts'
import { openDocumentStore } from '../../../src/documents/open.ts'
import { createApp } from '../../../src/http/app.ts'
import { parsePreconditions } from '../../../src/http/headers/preconditions.ts'
import { appDeps } from '../../support/app-deps.ts'
import { listen } from '../../support/listening.ts'
import { expectProblem } from '../../support/problems.ts'
import { connectRaw } from '../../support/raw-connection.ts'

let store: DocumentStore
let app: ReturnType<typeof createApp>

beforeAll(async () => {
  store = await openDocumentStore({ url: 'sqlite::memory:', dataDir: '.' })
  app = createApp(appDeps({ store }))
})
afterAll(async () => {
  await store.close()
})

const send = (method: string, id: string, headers: Record<string, string> = {}) =>
  app.request(`/data/${id}`, {
    method,
    headers: method === 'PUT' ? { 'content-type': 'application/json', ...headers } : headers,
    ...(method === 'PUT' && { body: '{"changed":true}' }),
  })

/** Stores a document. @returns its entity tag */
async function put(id: string): Promise<string> {
  return (await send('PUT', id)).headers.get('etag') ?? ''
}

/** One entry of a list: the current tag, another tag, or a proxy's variant of the current one. */
type Entry = 'current' | 'weak current' | 'compressed current' | 'other' | 'weak other'
type Field = '*' | readonly Entry[] | undefined

const entries = {
  current: (tag: string) => tag,
  'weak current': (tag: string) => `W/${tag}`,
  'compressed current': (tag: string) => tag.replace(/"$/, '-gzip"'),
  other: () => '"other,with-a-comma"',
  'weak other': () => 'W/"other"',
} satisfies Record<Entry, (tag: string) => string>

const fieldArbitrary: fc.Arbitrary<Field> = fc.oneof(
  fc.constant(undefined),
  fc.constant('*' as const),
  fc.uniqueArray(fc.constantFrom(...(Object.keys(entries) as Entry[])), { maxLength: 3 }),
)

/** RFC 9110 §13.1.1, §13.1.2 and §13.2, in its own words and order. */
function expectedStatus(method: string, exists: boolean, ifMatch: Field, ifNoneMatch: Field): number {
  // §13.2.1: failures that need no precondition come first.
  if (!exists && method !== 'PUT') return 404
  const isRead = method === 'GET' || method === 'HEAD'
  const success = isRead ? 200 : method === 'DELETE' ? 204 : exists ? 200 : 201
  // §13.2.2, step 1. Strong comparison: weak tags never match.
  if (ifMatch !== undefined) {
    const isTrue =
      exists && (ifMatch === '*' || ifMatch.includes('current') || ifMatch.includes('compressed current'))
    if (!isTrue) return 412
  }
  // Step 3. Weak comparison.
  if (ifNoneMatch !== undefined) {
    const isFalse =
      exists &&
      (ifNoneMatch === '*' ||
        ifNoneMatch.some((entry) => ['current', 'weak current', 'compressed current'].includes(entry)))
    if (isFalse) return isRead ? 304 : 412
  }
  return success
}

const isKept = (status: number): boolean => status === 412 || status === 304

describe('the preconditions of a request for a document', () => {
  test('decide as RFC 9110 requires, and a refused write changes nothing', async () => {
    let count = 0
    const property = fc.asyncProperty(
      fc.constantFrom('GET', 'HEAD', 'PUT', 'DELETE'),
      fc.boolean(),
      fieldArbitrary,
      fieldArbitrary,
      fc.constantFrom(', ', ',', ' ,\t', ', ,'),
      async (method, exists, ifMatch, ifNoneMatch, separator) => {
        const id = `property-${count++}`
        const tag = exists ? await put(id) : '"absent"'
        const field = (value: Field) =>
          value === '*' ? '*' : (value ?? []).map((entry) => entries[entry](tag)).join(separator)
        const response = await send(method, id, {
          ...(ifMatch !== undefined && { 'if-match': field(ifMatch) }),
          ...(ifNoneMatch !== undefined && { 'if-none-match': field(ifNoneMatch) }),
          // Ignored, because documents have no date of modification.
          'if-modified-since': 'Sat, 01 Jan 2050 00:00:00 GMT',
          'if-unmodified-since': 'Sat, 01 Jan 2000 00:00:00 GMT',
        })
        expect(response.status).toBe(expectedStatus(method, exists, ifMatch, ifNoneMatch))
        if (!isKept(response.status)) return
        const after = await send('GET', id)
        expect(after.headers.get('etag')).toBe(exists ? tag : null)
      },
    )
    await fc.assert(property, { numRuns: 400 })
  })

  test('refuse with a problem that names the field', async () => {
    const tag = await put('named')
    const stale = await send('PUT', 'named', { 'if-match': '"stale"' })
    expect((await expectProblem(stale, 412, 'precondition-failed')).detail).toContain('If-Match')
    const taken = await send('PUT', 'named', { 'if-none-match': '*' })
    expect((await expectProblem(taken, 412, 'precondition-failed')).detail).toContain('If-None-Match')
    const read = await send('GET', 'named', { 'if-match': '"stale"' })
    await expectProblem(read, 412, 'precondition-failed')
    expect((await send('GET', 'named')).headers.get('etag')).toBe(tag)
  })

  const malformed = ['abc', '"a', '*, "a"', '"a" "b"', 'w/"a"', 'W/ "a"', '*, *', '"a";', 'W/a', '"a b"']
  test.each(malformed)('refuse the malformed list %s for a write', async (value) => {
    const tag = await put('malformed')
    for (const [method, name] of [
      ['PUT', 'if-match'],
      ['PUT', 'if-none-match'],
      ['DELETE', 'if-match'],
      ['DELETE', 'if-none-match'],
      ['GET', 'if-match'],
    ] as const) {
      const problem = await expectProblem(
        await send(method, 'malformed', { [name]: value }),
        400,
        'invalid-header',
      )
      expect(problem.detail.toLowerCase()).toStartWith(name)
    }
    const read = await send('GET', 'malformed', { 'if-none-match': value })
    expect([read.status, read.headers.get('etag')]).toEqual([200, tag])
  })

  test('of one field over several lines are one list', async () => {
    const id = 'several-lines'
    const tag = await put(id)
    await using server = listen({ store })
    using connection = await connectRaw(server.port)
    await connection.send(
      `GET /data/${id} HTTP/1.1\r\nHost: a\r\nIf-None-Match: "a"\r\nIf-None-Match: W/${tag}\r\n\r\n`,
    )
    expect((await connection.next())?.status).toBe(304)
  })

  test('are undefined without the headers', () => {
    expect(parsePreconditions('PUT', new Headers())).toEqual({ ifMatch: undefined, ifNoneMatch: undefined })
  })
})
