import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import {
  CheckTimedOut,
  type DocumentChecker,
  type DocumentCheckerOptions,
  openDocumentChecker,
} from '../../../src/documents/checking/document-checker.ts'

setDefaultTimeout(30_000)

const opened: DocumentChecker[] = []
async function open(options: Partial<DocumentCheckerOptions> = {}): Promise<DocumentChecker> {
  const checker = await openDocumentChecker({ maxThreads: 1, ...options })
  opened.push(checker)
  return checker
}
afterEach(() => {
  for (const checker of opened.splice(0)) checker.close()
})

const toBytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** Takes a time that doubles with each level of nesting. */
const exponentialSchema = {
  $ref: '#/$defs/node',
  $defs: {
    node: {
      type: 'object',
      anyOf: [
        { properties: { c: { $ref: '#/$defs/node' } } },
        { properties: { c: { $ref: '#/$defs/node' } } },
      ],
    },
  },
}
const nested = (levels: number): string => `${'{"c":'.repeat(levels)}1${'}'.repeat(levels)}`

describe.each([
  ['on the event loop', Number.MAX_SAFE_INTEGER],
  ['on a thread', -1],
])('a document checked %s', (_, inlineMaxBytes) => {
  let checker: DocumentChecker
  const check: DocumentChecker['check'] = (...document) => checker.check(...document)
  beforeAll(async () => {
    const schema = { properties: { name: { type: 'string' } } }
    checker = await openDocumentChecker({ maxThreads: 1, inlineMaxBytes, schema })
  })
  afterAll(() => checker.close())

  test('is returned as it was sent, with its id, and its fingerprint for a key', async () => {
    const text = ' {"n": 1.10, "id": 7, "t":"\\ud800😀"}'
    expect(await check(toBytes(text), { isKeyed: false })).toEqual({
      ok: true,
      document: { text, id: '7', fingerprint: undefined },
    })
    expect(await check(toBytes('{}'), { isKeyed: true })).toEqual({
      ok: true,
      document: {
        text: '{}',
        id: undefined,
        fingerprint: new Bun.CryptoHasher('sha256').update('{}').digest('hex'),
      },
    })
  })

  test.each([
    ['{"a":', 'malformed-json', undefined],
    ['', 'malformed-json', undefined],
    ['[]', 'invalid-input', { pointer: '', detail: 'must be an object', code: 'type' }],
    ['{"id":"a/b"}', 'invalid-input', expect.objectContaining({ pointer: '/id', code: 'invalid-value' })],
    ['{"name":7}', 'invalid-input', { pointer: '/name', detail: 'must be string', code: 'type' }],
    [
      `{"a":${'['.repeat(100)}${']'.repeat(100)}}`,
      'invalid-input',
      { pointer: '', detail: 'must not nest deeper than 100 levels', code: 'too-deep' },
    ],
  ])('is refused when it is %p', async (text, code, issue) => {
    expect(await check(toBytes(text), { isKeyed: false })).toEqual({
      ok: false,
      error: {
        code: code as 'invalid-input',
        detail: expect.any(String),
        ...(issue === undefined ? {} : { issues: [issue] }),
      },
    })
  })

  test('is refused when it is not UTF-8', async () => {
    const result = await check(new Uint8Array([0x22, 0xff, 0x22]), { isKeyed: false })
    expect(result).toMatchObject({ ok: false, error: { code: 'not-utf-8' } })
  })
})

describe('a thread', () => {
  test('checks large documents, and small ones only if their cost is unbounded', async () => {
    const isOnThread = async ({ check }: DocumentChecker, document: unknown): Promise<boolean> => {
      const checked = check(toBytes(JSON.stringify(document)), { isKeyed: false })
      expect(await checked).toMatchObject({ ok: true })
      return checked instanceof Promise
    }
    const small = { a: '1' }
    const plain = await open()
    expect(await isOnThread(plain, small)).toBe(false)
    expect(await isOnThread(plain, { a: 'x'.repeat(100_000) })).toBe(true)
    const bounded = await open({ schema: { properties: { a: { type: 'string' } } } })
    expect(await isOnThread(bounded, small)).toBe(false)
    expect(await isOnThread(bounded, { a: 'x'.repeat(10_000) })).toBe(true)
    const unbounded = await open({ schema: exponentialSchema })
    expect(await isOnThread(unbounded, small)).toBe(true)
  })

  test('does not affect other views of the same buffer', async () => {
    const { check } = await open({ inlineMaxBytes: -1 })
    const buffer = toBytes('[{}]')
    expect(await check(buffer.subarray(1, 3), { isKeyed: false })).toMatchObject({ ok: true })
    expect(buffer.length).toBe(4)
  })

  test('ends when a validation takes too long, and the next document gets a new one', async () => {
    const { check } = await open({ schema: exponentialSchema, timeoutMs: 500 })
    expect(await check(toBytes(nested(5)), { isKeyed: false })).toMatchObject({ ok: false })
    await expect(check(toBytes(nested(60)), { isKeyed: false })).rejects.toBeInstanceOf(CheckTimedOut)
    expect(await check(toBytes('{"c":{}}'), { isKeyed: false })).toMatchObject({ ok: true })
  })

  test('ends when its request has been answered', async () => {
    const { check } = await open({ schema: exponentialSchema, timeoutMs: 60_000 })
    const request = new AbortController()
    const checked = check(toBytes(nested(60)), { isKeyed: false, signal: () => request.signal })
    request.abort('deadline')
    await expect(checked).rejects.toBe('deadline')
    expect(await check(toBytes('{"c":{}}'), { isKeyed: false })).toMatchObject({ ok: true })
  })
})
