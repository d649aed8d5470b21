import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import {
  type Idempotency,
  IdempotencyMismatch,
  idempotencyRetentionMs,
} from '../../src/database/idempotency.ts'
import { InvalidCursor } from '../../src/database/invalid-cursor.ts'
import {
  type Condition,
  type Document,
  DocumentExists,
  type DocumentStore,
  maxBodyLength,
  maxIdLength,
  maxPageBytes,
  maxPageDocuments,
  PreconditionFailed,
  StoreUnavailable,
} from '../../src/documents/document-store.ts'
import { awkwardScopes } from '../support/awkward-scopes.ts'

/** An empty database of one engine, on which several stores can be opened, as several instances would. */
export interface EmptyDatabase {
  open(now?: () => number): Promise<DocumentStore>
  remove(): Promise<void>
}

/**
 * The promises of `DocumentStore` as tests. Each adapter runs them on its real engine.
 *
 * @param makeDatabase called before each test
 */
export function documentStoreContract(makeDatabase: () => Promise<EmptyDatabase>): void {
  let database: EmptyDatabase
  let store: DocumentStore
  let clock: number
  const opened: DocumentStore[] = []

  const open = async () => {
    const another = await database.open(() => clock)
    opened.push(another)
    return another
  }

  beforeEach(async () => {
    clock = Date.UTC(2026, 0, 1)
    database = await makeDatabase()
    store = await open()
  })
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((each) => each.close()))
    await database.remove()
  })

  describe('create and get', () => {
    test('returns a created document as it was stored', async () => {
      const { document, replayed } = await store.create({ id: 'a', body: '{"a":1}' })
      expect(replayed).toBe(false)
      expect(document).toMatchObject({ id: 'a', body: '{"a":1}', createdAt: clock, updatedAt: clock })
      expect(await store.get('a')).toEqual(document)
    })

    test('another instance reads a created document', async () => {
      const { document } = await store.create({ id: 'a', body: '{}' })
      expect(await (await open()).get('a')).toEqual(document)
    })

    test('a created document survives closing and reopening', async () => {
      const { document } = await store.create({ id: 'a', body: '{}' })
      await store.close()
      expect(await (await open()).get('a')).toEqual(document)
    })

    test('get returns undefined for any unknown id', async () => {
      await store.create({ id: 'a', body: '{}' })
      for (const id of ['b', 'A', '', ' a', 'a\0', '\ud800', 'x'.repeat(10_000), "'; drop table documents"]) {
        expect(await store.get(id)).toBeUndefined()
        expect(await store.delete(id)).toBe(false)
      }
    })

    test('create rejects a taken id with DocumentExists and keeps the first document', async () => {
      await store.create({ id: 'a', body: '{"first":true}' })
      await expect(store.create({ id: 'a', body: '{}' })).rejects.toBeInstanceOf(DocumentExists)
      expect((await store.get('a'))?.body).toBe('{"first":true}')
    })

    test('one of 50 concurrent creations of one id on two instances succeeds', async () => {
      const other = await open()
      const outcomes = await Promise.allSettled(
        Array.from({ length: 50 }, (_, n) => (n % 2 ? store : other).create({ id: 'a', body: `{"n":${n}}` })),
      )
      const created = outcomes.filter((outcome) => outcome.status === 'fulfilled')
      const refused = outcomes.filter((outcome) => outcome.status === 'rejected')
      expect(created).toHaveLength(1)
      expect(refused.map(({ reason }) => reason.code)).toEqual(Array(49).fill('document-exists'))
      expect(await store.get('a')).toEqual(created[0]?.value.document as Document)
    })

    test('a failed creation does not affect concurrent ones', async () => {
      await store.create({ id: '10', body: '{}' })
      const outcomes = await Promise.allSettled(
        Array.from({ length: 20 }, (_, n) => store.create({ id: `${n}`, body: '{}' })),
      )
      expect(outcomes.map(({ status }) => status)).toEqual(
        Array.from({ length: 20 }, (_, n) => (n === 10 ? 'rejected' : 'fulfilled')),
      )
      expect((await store.list({ limit: 100 })).documents).toHaveLength(20)
    })

    test.each([
      ['an escaped NUL', '{"a":"\\u0000"}'],
      ['escaped lone surrogates', '{"a":"\\ud800 \\udfff \\udc00\\ud800"}'],
      [
        'integers and decimals beyond a double',
        '{"a":123456789012345678901234567890,"b":0.1000000000000000000001}',
      ],
      ['numbers in unusual spelling', '{"a":1.0,"b":-0,"c":1E400,"d":1e-400}'],
      ['white space, key order and duplicate keys', '{ "b" : 1,\n\t"a" : 2, "b" : 3 }\r\n'],
      ['text beyond the basic plane', '{"a":"Grüße 世界 👩‍👩‍👧 \u2028 \ufeff \uffff"}'],
      ['quotes and backslashes', '{"a":"\\" \' \\\\ $1 ?1 %s"}'],
      ['a text of 3 MB', JSON.stringify({ a: 'é'.repeat(1_500_000) })],
    ])('%s is returned character by character', async (_, body) => {
      await store.create({ id: 'a', body }, { scope: 's', key: 'k', fingerprint: 'f' })
      expect((await store.get('a'))?.body).toBe(body)
      expect((await store.list({ limit: 1 })).documents[0]?.body).toBe(body)
      const again = await store.create({ id: 'b', body: '{}' }, { scope: 's', key: 'k', fingerprint: 'f' })
      expect(again.document.body).toBe(body)
    })

    test.each([
      ['an empty id', { id: '', body: '{}' }],
      ['an id that is too long', { id: 'x'.repeat(maxIdLength + 1), body: '{}' }],
      ['an id that needs encoding in a path', { id: 'a/b', body: '{}' }],
      ['an id that is removed from a path', { id: '..', body: '{}' }],
      ['an empty body', { id: 'a', body: '' }],
      ['a body that is too long', { id: 'a', body: ' '.repeat(maxBodyLength + 1) }],
      ['an unescaped NUL', { id: 'a', body: '"\0"' }],
      ['an unescaped lone surrogate', { id: 'a', body: '"\ud800"' }],
    ])('%s is rejected, and nothing is stored', async (_, draft) => {
      await expect(store.create(draft)).rejects.toBeInstanceOf(RangeError)
      await expect(store.replace(draft.id, draft.body)).rejects.toBeInstanceOf(RangeError)
      expect((await store.list({ limit: 1 })).documents).toEqual([])
    })

    test('stores an id of the maximum length', async () => {
      const id = `${'x'.repeat(maxIdLength - 4)}.~_-`
      await store.create({ id, body: '{}' })
      expect((await store.get(id))?.id).toBe(id)
    })
  })

  describe('list', () => {
    test('an empty store has one empty page', async () => {
      expect(await store.list({ limit: 10 })).toEqual({ documents: [], next: undefined })
    })

    test('lists thousands of documents page by page in order of creation, each once', async () => {
      const ids = await fill(store, 2_500)
      for (const limit of [7, 100, maxPageDocuments]) {
        const pages = await readPages(store, limit)
        expect(pages.flat().map(({ id }) => id)).toEqual(ids)
        expect(pages.slice(0, -1).every((page) => page.length === limit)).toBe(true)
      }
    })

    test('the last page has no next, even when it is full', async () => {
      await fill(store, 20)
      const { next } = await store.list({ limit: 10 })
      const last = await store.list({ limit: 10, after: next })
      expect(last.documents).toHaveLength(10)
      expect(last.next).toBeUndefined()
    })

    test('continuing from the last document returns the documents created since', async () => {
      await fill(store, 3)
      const last = (await store.list({ limit: 3 })).documents[2] as Document
      expect((await store.list({ limit: 3, after: last.position })).documents).toEqual([])
      const { document } = await store.create({ id: 'new', body: '{}' })
      expect((await store.list({ limit: 3, after: last.position })).documents).toEqual([document])
    })

    test('deleting the last document of a page loses and repeats nothing, and its position is not reused', async () => {
      const ids = await fill(store, 10)
      const { documents, next } = await store.list({ limit: 9 })
      await store.delete(documents[8]?.id as string)
      const rest = await store.list({ limit: 9, after: next })
      expect(rest.documents.map(({ id }) => id)).toEqual([ids[9] as string])

      await store.delete(ids[9] as string)
      const { document } = await store.create({ id: 'new', body: '{}' })
      expect((await store.list({ limit: 9, after: rest.documents[0]?.position })).documents).toEqual([
        document,
      ])
    })

    test('a page of large documents ends at maxPageBytes, and a larger document is a separate page', async () => {
      const third = JSON.stringify('x'.repeat(maxPageBytes / 3))
      const above = JSON.stringify('x'.repeat(maxPageBytes))
      const bodies = [third, third, third, above, '1', '2']
      for (const [n, body] of bodies.entries()) await store.create({ id: `${n}`, body })
      const pages = await readPages(store, 100)
      expect(pages.map((page) => page.map(({ id }) => id))).toEqual([['0', '1'], ['2'], ['3'], ['4', '5']])
      expect(pages.flat().map(({ body }) => body)).toEqual(bodies)
    })

    test('a page can be measured, and read in parts that are the same', async () => {
      const third = JSON.stringify('x'.repeat(maxPageBytes / 3))
      const bodies = ['1', third, '"ü"', third, '2', third, '3']
      for (const [n, body] of bodies.entries()) await store.create({ id: `${n}`, body })
      for (const limit of [1, 3, 100])
        for (let after: string | undefined; ; ) {
          const page = await store.list({ limit, after })
          const extent = await store.measure({ limit, after })
          const sizes = page.documents.map(({ body }) => Buffer.byteLength(body))
          expect(extent).toEqual({
            last: page.documents.at(-1)?.position,
            next: page.next,
            count: sizes.length,
            bytes: sizes.reduce((sum, size) => sum + size, 0),
            largestBytes: Math.max(...sizes),
          })
          const parts: Document[] = []
          let from = after
          do {
            const part = await store.list({ limit, after: from, until: extent.last, maxBytes: 10 })
            parts.push(...part.documents)
            from = part.next
          } while (from !== undefined)
          expect(parts).toEqual([...page.documents])
          after = page.next
          if (after === undefined) break
        }
      expect(await store.measure({ limit: 5, after: '9'.repeat(18) })).toMatchObject({ count: 0, bytes: 0 })
    })

    test.each(['', '-1', '1.5', 'x', '1e3', '01', '9'.repeat(19), "1' or 1=1"])(
      'list rejects the cursor %p with InvalidCursor',
      async (after) => {
        await expect(store.list({ limit: 1, after })).rejects.toBeInstanceOf(InvalidCursor)
      },
    )

    test('a position far beyond the end returns an empty page', async () => {
      await fill(store, 1)
      expect((await store.list({ limit: 1, after: '9'.repeat(18) })).documents).toEqual([])
    })

    test.each([0, -1, 1.5, maxPageDocuments + 1, Number.NaN])('list rejects a limit of %p', async (limit) => {
      await expect(store.list({ limit })).rejects.toBeInstanceOf(RangeError)
    })
  })

  describe('replace and delete', () => {
    test('replace creates a missing document', async () => {
      const { document, created } = await store.replace('a', '{"a":1}')
      expect(created).toBe(true)
      expect(await store.get('a')).toEqual(document)
    })

    test('replace changes body, version and time, and keeps the place in the list', async () => {
      const { document: first } = await store.create({ id: 'a', body: '{"a":1}' })
      await store.create({ id: 'b', body: '{}' })
      clock += 1_000
      const { document, created } = await store.replace('a', '{"a":2}')
      expect(created).toBe(false)
      expect(document).toEqual({ ...first, body: '{"a":2}', version: document.version, updatedAt: clock })
      expect(document.version).not.toBe(first.version)
      expect((await store.list({ limit: 2 })).documents[0]).toEqual(document)
    })

    test('a replacement uses up no position', async () => {
      const { document: first } = await store.create({ id: 'a', body: '{}' })
      for (let n = 0; n < 5; n++) await store.replace('a', `{"n":${n}}`)
      const { document: second } = await store.create({ id: 'b', body: '{}' })
      expect(Number(second.position)).toBe(Number(first.position) + 1)
    })

    test('with ifMatch, replace writes only over a named version', async () => {
      const { document: first } = await store.create({ id: 'a', body: '1' })
      await expect(store.replace('a', '2', { ifMatch: ['other'] })).rejects.toBeInstanceOf(PreconditionFailed)
      await expect(store.replace('a', '2', { ifMatch: [] })).rejects.toBeInstanceOf(PreconditionFailed)
      const { document } = await store.replace('a', '3', { ifMatch: ['other', first.version] })
      await expect(store.replace('a', '4', { ifMatch: [first.version] })).rejects.toBeInstanceOf(
        PreconditionFailed,
      )
      expect((await store.replace('a', '5', { ifMatch: '*' })).created).toBe(false)
      expect(document.body).toBe('3')
      expect((await store.get('a'))?.body).toBe('5')
    })

    test('with ifMatch, replace never creates', async () => {
      for (const ifMatch of ['*', ['x']] as const) {
        await expect(store.replace('a', '1', { ifMatch })).rejects.toBeInstanceOf(PreconditionFailed)
      }
      expect(await store.get('a')).toBeUndefined()
    })

    test('delete of a missing document checks no condition', async () => {
      for (const set of ['*', ['x'], []] as const) {
        expect(await store.delete('a', { ifMatch: set })).toBe(false)
        expect(await store.delete('a', { ifNoneMatch: set })).toBe(false)
      }
    })

    test('a failed condition changes nothing, and a satisfied one lets the write proceed', async () => {
      const { document: first } = await store.create({ id: 'a', body: '1' })
      const { version } = first
      const refused: [Condition, keyof Condition][] = [
        [{ ifNoneMatch: '*' }, 'ifNoneMatch'],
        [{ ifNoneMatch: ['x', version] }, 'ifNoneMatch'],
        [{ ifMatch: '*', ifNoneMatch: [version] }, 'ifNoneMatch'],
        [{ ifMatch: [version], ifNoneMatch: '*' }, 'ifNoneMatch'],
        [{ ifMatch: ['x'], ifNoneMatch: ['y'] }, 'ifMatch'],
        [{ ifMatch: [], ifNoneMatch: '*' }, 'ifMatch'],
      ]
      for (const [condition, unmet] of refused)
        for (const write of [() => store.replace('a', '2', condition), () => store.delete('a', condition)])
          await expect(write()).rejects.toMatchObject({ code: 'precondition-failed', condition: unmet })
      expect(await store.get('a')).toEqual(first)

      const second = await store.replace('a', '3', { ifMatch: '*', ifNoneMatch: ['x'] })
      expect(second).toMatchObject({ created: false, document: { body: '3', position: first.position } })
      const third = await store.replace('a', '4', { ifMatch: [second.document.version], ifNoneMatch: [] })
      expect(third.document.body).toBe('4')
      expect(await store.delete('a', { ifNoneMatch: [version] })).toBe(true)
      expect(await store.get('a')).toBeUndefined()
    })

    test('with ifNoneMatch, replace creates a missing document, and never replaces with *', async () => {
      for (const [id, ifNoneMatch] of [
        ['any', '*'],
        ['one', ['x']],
        ['none', []],
      ] as const) {
        expect((await store.replace(id, '1', { ifNoneMatch })).created).toBe(true)
        expect((await store.get(id))?.body).toBe('1')
      }
      await expect(store.replace('any', '2', { ifNoneMatch: '*' })).rejects.toBeInstanceOf(PreconditionFailed)
      expect((await store.get('any'))?.body).toBe('1')
    })

    test('with ifNoneMatch *, one of 30 concurrent replacements on two instances creates', async () => {
      const other = await open()
      const outcomes = await Promise.allSettled(
        Array.from({ length: 30 }, (_, n) =>
          (n % 2 ? store : other).replace('a', `{"n":${n}}`, { ifNoneMatch: '*' }),
        ),
      )
      const won = outcomes.filter((outcome) => outcome.status === 'fulfilled')
      const lost = outcomes.filter((outcome) => outcome.status === 'rejected')
      expect(won.map(({ value }) => value.created)).toEqual([true])
      expect(lost.map(({ reason }) => reason.code)).toEqual(Array(29).fill('precondition-failed'))
      expect(await store.get('a')).toEqual(won[0]?.value.document as Document)
    })

    test('with ifNoneMatch of the present version, 30 concurrent deletions and replacements all fail', async () => {
      const other = await open()
      const { document } = await store.create({ id: 'a', body: '{}' })
      const condition = { ifNoneMatch: [document.version] }
      const outcomes = await Promise.allSettled(
        Array.from({ length: 30 }, (_, n) => {
          const instance = n % 2 ? store : other
          return n % 3 ? instance.replace('a', '1', condition) : instance.delete('a', condition)
        }),
      )
      expect(outcomes.map((outcome) => outcome.status === 'rejected' && outcome.reason.code)).toEqual(
        Array(30).fill('precondition-failed'),
      )
      expect(await store.get('a')).toEqual(document)
    })

    test('one of 30 concurrent replacements of one version on two instances succeeds', async () => {
      const other = await open()
      const { document } = await store.create({ id: 'a', body: '{}' })
      const outcomes = await Promise.allSettled(
        Array.from({ length: 30 }, (_, n) =>
          (n % 2 ? store : other).replace('a', `{"n":${n}}`, { ifMatch: [document.version] }),
        ),
      )
      const won = outcomes.filter((outcome) => outcome.status === 'fulfilled')
      const lost = outcomes.filter((outcome) => outcome.status === 'rejected')
      expect(won).toHaveLength(1)
      expect(lost.map(({ reason }) => reason.code)).toEqual(Array(29).fill('precondition-failed'))
      expect(await store.get('a')).toEqual(won[0]?.value.document as Document)
    })

    test('one of 30 concurrent replacements of a missing document on two instances creates it', async () => {
      const other = await open()
      const outcomes = await Promise.all(
        Array.from({ length: 30 }, (_, n) => (n % 2 ? store : other).replace('a', `{"n":${n}}`)),
      )
      expect(outcomes.filter(({ created }) => created)).toHaveLength(1)
      expect((await store.list({ limit: 10 })).documents).toHaveLength(1)
    })

    test('delete removes the document and frees its id', async () => {
      await store.create({ id: 'a', body: '{}' })
      expect(await store.delete('a')).toBe(true)
      expect(await store.get('a')).toBeUndefined()
      expect(await store.delete('a')).toBe(false)
      await store.create({ id: 'a', body: '{}' })
    })

    test('with ifMatch, delete removes only a named version', async () => {
      const { document } = await store.create({ id: 'a', body: '{}' })
      await expect(store.delete('a', { ifMatch: ['other'] })).rejects.toBeInstanceOf(PreconditionFailed)
      expect(await store.delete('a', { ifMatch: [document.version] })).toBe(true)
    })

    test('the version of a deleted document does not match a later document of the same id', async () => {
      const { document } = await store.create({ id: 'a', body: '{}' })
      await store.delete('a')
      await store.create({ id: 'a', body: '{}' })
      await expect(store.delete('a', { ifMatch: [document.version] })).rejects.toBeInstanceOf(
        PreconditionFailed,
      )
    })
  })

  describe('idempotency keys', () => {
    const key: Idempotency = { scope: 'data', key: 'k', fingerprint: 'f' }

    test('the same key and fingerprint repeat the first answer, also on another instance', async () => {
      const first = await store.create({ id: 'a', body: '{"a":1}' }, key)
      clock += 1_000
      const again = await (await open()).create({ id: 'b', body: '{"a":1}' }, key)
      expect(again).toEqual({ document: first.document, replayed: true })
      expect(await store.get('b')).toBeUndefined()
    })

    test('the first answer is repeated after the document was replaced or deleted', async () => {
      const { document } = await store.create({ id: 'a', body: '{"a":1}' }, key)
      await store.replace('a', '{"a":2}')
      expect((await store.create({ id: 'a', body: '{"a":1}' }, key)).document).toEqual(document)
      await store.delete('a')
      expect((await store.create({ id: 'a', body: '{"a":1}' }, key)).document).toEqual(document)
      expect(await store.get('a')).toBeUndefined()
    })

    test('create rejects a key with another fingerprint with IdempotencyMismatch, and writes nothing', async () => {
      await store.create({ id: 'a', body: '{}' }, key)
      const other = { ...key, fingerprint: 'g' }
      await expect(store.create({ id: 'b', body: '{}' }, other)).rejects.toBeInstanceOf(IdempotencyMismatch)
      expect(await store.get('b')).toBeUndefined()
    })

    test('scopes do not share keys', async () => {
      await store.create({ id: 'a', body: '{}' }, key)
      const { replayed } = await store.create(
        { id: 'b', body: '{}' },
        { ...key, scope: 'other', fingerprint: 'g' },
      )
      expect(replayed).toBe(false)
    })

    test('scopes and keys of any text are never taken for each other', async () => {
      const pairs = awkwardScopes.map(({ scope, key }) => ({ scope, key, fingerprint: scope + key }))
      for (const [i, pair] of pairs.entries())
        expect((await store.create({ id: `${i}`, body: '{}' }, pair)).replayed).toBe(false)
      for (const pair of pairs)
        expect((await store.create({ id: 'again', body: '{}' }, pair)).replayed).toBe(true)
    })

    test('a rejected creation does not use up its key', async () => {
      await store.create({ id: 'a', body: '{}' })
      await expect(store.create({ id: 'a', body: '{}' }, key)).rejects.toBeInstanceOf(DocumentExists)
      expect((await store.create({ id: 'b', body: '{}' }, { ...key, fingerprint: 'g' })).replayed).toBe(false)
    })

    test('a key expires after idempotencyRetentionMs', async () => {
      await store.create({ id: 'a', body: '{}' }, key)
      clock += idempotencyRetentionMs - 1
      expect((await store.create({ id: 'b', body: '{}' }, key)).replayed).toBe(true)
      clock += 1
      const anew = await store.create({ id: 'b', body: '{}' }, { ...key, fingerprint: 'g' })
      expect(anew.replayed).toBe(false)
      expect((await store.create({ id: 'c', body: '{}' }, { ...key, fingerprint: 'g' })).document).toEqual(
        anew.document,
      )
    })

    test('100 concurrent calls with one key on two instances create one document and get equal answers', async () => {
      const other = await open()
      const answers = await Promise.all(
        Array.from({ length: 100 }, (_, n) =>
          (n % 2 ? store : other).create({ id: `${n}`, body: '{}' }, key),
        ),
      )
      expect(answers.filter(({ replayed }) => !replayed)).toHaveLength(1)
      expect(new Set(answers.map(({ document }) => JSON.stringify(document))).size).toBe(1)
      expect((await store.list({ limit: 10 })).documents).toEqual([answers[0]?.document as Document])
    })

    test('10 concurrent calls for each of 20 keys create 20 documents', async () => {
      const answers = await Promise.all(
        Array.from({ length: 200 }, (_, n) =>
          store.create({ id: `${n}`, body: '{}' }, { ...key, key: `${n % 20}` }),
        ),
      )
      expect(answers.filter(({ replayed }) => !replayed)).toHaveLength(20)
      expect((await store.list({ limit: 100 })).documents).toHaveLength(20)
    })

    test('a key whose first request is rejected goes to the next request', async () => {
      await store.create({ id: 'taken', body: '{}' })
      const outcomes = await Promise.allSettled(
        Array.from({ length: 20 }, (_, n) =>
          store.create({ id: n < 10 ? 'taken' : `${n}`, body: '{}' }, key),
        ),
      )
      const created = outcomes.filter(({ status }) => status === 'fulfilled')
      expect(created.length).toBeGreaterThanOrEqual(10)
      expect((await store.list({ limit: 10 })).documents).toHaveLength(2)
    })
  })

  describe('ping and close', () => {
    test('ping resolves on an open store', async () => {
      await store.ping()
    })

    test('close completes calls in flight, and later calls fail with StoreUnavailable', async () => {
      const begun = Array.from({ length: 50 }, (_, n) => store.create({ id: `${n}`, body: '{}' }))
      await Promise.all([...begun, store.close()])
      for (const call of [
        () => store.get('a'),
        () => store.list({ limit: 1 }),
        () => store.create({ id: 'a', body: '{}' }),
        () => store.replace('a', '{}'),
        () => store.delete('a'),
        () => store.ping(),
      ]) {
        await expect(call()).rejects.toBeInstanceOf(StoreUnavailable)
      }
      expect((await (await open()).list({ limit: 100 })).documents).toHaveLength(50)
    })

    test('a second close returns the same promise', async () => {
      expect(store.close()).toBe(store.close())
      await store.close()
    })
  })
}

/** Few enough concurrent writes that each finds a connection soon, even on a loaded machine. */
const groupSize = 50

/** Creates documents in groups and returns their ids in the order of their positions. */
async function fill(store: DocumentStore, count: number): Promise<string[]> {
  const created: Document[] = []
  for (let begin = 0; begin < count; begin += groupSize) {
    const group = Array.from({ length: Math.min(groupSize, count - begin) }, () =>
      store.create({ id: Bun.randomUUIDv7(), body: '{}' }),
    )
    created.push(...(await Promise.all(group)).map(({ document }) => document))
  }
  return created.sort((a, b) => Number(a.position) - Number(b.position)).map(({ id }) => id)
}

/** All pages in order. */
async function readPages(store: DocumentStore, limit: number): Promise<(readonly Document[])[]> {
  const pages: (readonly Document[])[] = []
  let after: string | undefined
  do {
    const page = await store.list({ limit, after })
    pages.push(page.documents)
    after = page.next
  } while (after !== undefined)
  return pages
}
