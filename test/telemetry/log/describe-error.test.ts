import { expect, test } from 'bun:test'
import { describeError, redactCredentials } from '../../../src/telemetry/log/describe-error.ts'

const cycle: Record<string, unknown> = {}
cycle.self = cycle
const ownCause = new Error('one')
ownCause.cause = new Error('two', { cause: ownCause })

const described: [error: unknown, line: string][] = [
  [new Error('plain'), 'plain'],
  [new TypeError('typed'), 'TypeError: typed'],
  [
    new Error('outer', { cause: new TypeError('inner', { cause: 'bottom' }) }),
    'outer: TypeError: inner: bottom',
  ],
  [new Error('cannot: refused', { cause: new Error('refused') }), 'cannot: refused'],
  [new Error('two\n  lines'), 'two lines'],
  [new Error(''), 'Error'],
  [Object.assign(new Error(''), { code: 'ECONNREFUSED' }), '(ECONNREFUSED)'],
  [Object.assign(new TypeError('no answer'), { code: 'TIMEOUT' }), 'TypeError: no answer (TIMEOUT)'],
  [Object.assign(new Error('E1 at once'), { code: 'E1' }), 'E1 at once'],
  [
    new AggregateError([new Error('::1 refused'), new Error('127.0.0.1 refused')], ''),
    '::1 refused, 127.0.0.1 refused',
  ],
  [ownCause, 'one: two'],
  ['text', 'text'],
  [null, 'null'],
  [{ a: 1 }, '{"a":1}'],
  [cycle, 'object'],
  [7n, 'bigint'],
  [new Error('at redis://user:p@ss@host/0 and http://host/@b'), 'at redis://***@host/0 and http://host/@b'],
]
for (const [error, line] of described)
  test(`an error is described in one line: ${line}`, () => {
    expect(describeError(error)).toBe(line)
  })

test('a description has at most 400 characters', () => {
  const line = describeError(new Error('x'.repeat(1_000)))
  expect(line).toBe(`${'x'.repeat(399)}…`)
})

test('a text without a URL stays as it is', () => {
  for (const text of ['', 'a@b', 'user:password@host', 'http://host/path?mail=a@b'])
    expect(redactCredentials(text)).toBe(text)
})
