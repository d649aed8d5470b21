import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { parsePayload } from '../../../src/analysis/parse/parse-payload.ts'
import { isPayload } from '../../../src/analysis/payload.ts'

const limits = { maxNumbers: 5, maxTextLength: 10 }
const parse = (json: string | Uint8Array) => parsePayload(Buffer.from(json as string), limits)

test('parses a payload like JSON.parse', () => {
  const number = fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer())
  const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 10 })
  fc.assert(
    fc.property(
      fc.array(number, { minLength: 1, maxLength: 5 }),
      text,
      fc.nat(3),
      (numbers, text, indent) => {
        for (const payload of [
          { numbers, text },
          { text, numbers },
        ]) {
          const json = JSON.stringify(payload, undefined, indent)
          const parsed = JSON.parse(json) as typeof payload
          const found = parse(json)
          expect(Array.from(found?.numbers.values ?? [])).toEqual(parsed.numbers)
          expect(found?.text).toBe(parsed.text)
        }
      },
    ),
  )
})

describe('parses only input that JSON.parse and the schema accept', () => {
  const pieces = fc.constantFrom(
    ...['{', '}', '[', ']', ',', ':', ' ', '\n', '"numbers"', '"text"', '"numbers":[1,2]', '"text":"a"'],
    ...[
      '"text":"\\""',
      '"text":"\\\\"',
      '"a"',
      '"\\u0061"',
      '\\',
      '"',
      '1',
      '-0',
      '1e5',
      '1e999',
      'null',
      '{}',
    ],
    ...['"te\\u0078t":"b"', '"__proto__":1', '\u0000', '\ufeff', 'é', '"text":"\t"', '"text":"\\ud800"'],
  )
  test('for random sequences of tokens', () => {
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 8 }), fc.boolean(), (list, isWrapped) => {
        const json = isWrapped ? `{${list.join('')}}` : list.join('')
        const found = parse(json)
        if (found === undefined) return
        const value: unknown = JSON.parse(json)
        expect(isPayload(value, limits)).toBe(true)
        expect(value as object).toEqual({ numbers: Array.from(found.numbers.values), text: found.text })
      }),
      { numRuns: 20_000 },
    )
  })
})

describe('leaves to JSON.parse and the schema', () => {
  const others: Record<string, string | Uint8Array> = {
    'an object without members': '{}',
    'one member': '{"numbers":[1]}',
    'an unknown member': '{"numbers":[1],"text":"a","more":1}',
    'a duplicate key': '{"numbers":[1],"text":"a","numbers":[2]}',
    'a key with escapes': '{"numb\\u0065rs":[1],"text":"a"}',
    'an empty list': '{"numbers":[],"text":"a"}',
    'too many numbers': '{"numbers":[1,2,3,4,5,6],"text":"a"}',
    'an empty text': '{"numbers":[1],"text":""}',
    'a text that is too long': `{"numbers":[1],"text":"${'a'.repeat(11)}"}`,
    'a control character': '{"numbers":[1],"text":"\n"}',
    'an invalid escape': '{"numbers":[1],"text":"\\x"}',
    'an unterminated text': '{"numbers":[1],"text":"a\\"}',
    'a byte order mark': '\ufeff{"numbers":[1],"text":"a"}',
    'trailing characters': '{"numbers":[1],"text":"a"}1',
    'a trailing comma': '{"numbers":[1],"text":"a",}',
    'a missing comma': '{"numbers":[1]"text":"a"}',
    'invalid UTF-8': Buffer.from('{"numbers":[1],"text":"\xff"}', 'latin1'),
    'an empty body': '',
  }
  for (const [name, json] of Object.entries(others)) test(name, () => expect(parse(json)).toBeUndefined())
})

test('counts a surrogate pair as one character', () => {
  expect(parse(`{"numbers":[1],"text":"${'😀'.repeat(10)}"}`)?.text).toHaveLength(20)
  expect(parse(`{"numbers":[1],"text":"${'😀'.repeat(11)}"}`)).toBeUndefined()
})
