import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { parsePayload } from '../../../src/analysis/parse/parse-payload.ts'
import { isPayload } from '../../../src/analysis/payload.ts'

const limits = { maxNumbers: 5, maxTextLength: 10 }
const read = (json: string | Uint8Array) => parsePayload(Buffer.from(json as string), limits)

test('a payload is read as JSON.parse reads it', () => {
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
          const found = read(json)
          expect(Array.from(found?.numbers.values ?? [])).toEqual(parsed.numbers)
          expect(found?.text).toBe(parsed.text)
        }
      },
    ),
  )
})

describe('what is read is a payload by the parser and the schema too', () => {
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
  test('whatever the pieces', () => {
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 8 }), fc.boolean(), (list, isWrapped) => {
        const json = isWrapped ? `{${list.join('')}}` : list.join('')
        const found = read(json)
        if (found === undefined) return
        const value: unknown = JSON.parse(json)
        expect(isPayload(value, limits)).toBe(true)
        expect(value as object).toEqual({ numbers: Array.from(found.numbers.values), text: found.text })
      }),
      { numRuns: 20_000 },
    )
  })
})

describe('left to the parser and the schema', () => {
  const others: Record<string, string | Uint8Array> = {
    'no member': '{}',
    'one member': '{"numbers":[1]}',
    'a third member': '{"numbers":[1],"text":"a","more":1}',
    'a key twice': '{"numbers":[1],"text":"a","numbers":[2]}',
    'a key with escapes': '{"numb\\u0065rs":[1],"text":"a"}',
    'no numbers': '{"numbers":[],"text":"a"}',
    'too many numbers': '{"numbers":[1,2,3,4,5,6],"text":"a"}',
    'no text': '{"numbers":[1],"text":""}',
    'too long a text': `{"numbers":[1],"text":"${'a'.repeat(11)}"}`,
    'a control character': '{"numbers":[1],"text":"\n"}',
    'a wrong escape': '{"numbers":[1],"text":"\\x"}',
    'a text without an end': '{"numbers":[1],"text":"a\\"}',
    'a byte order mark': '\ufeff{"numbers":[1],"text":"a"}',
    'something behind': '{"numbers":[1],"text":"a"}1',
    'a comma too many': '{"numbers":[1],"text":"a",}',
    'a comma too few': '{"numbers":[1]"text":"a"}',
    'bytes that are not UTF-8': Buffer.from('{"numbers":[1],"text":"\xff"}', 'latin1'),
    nothing: '',
  }
  for (const [name, json] of Object.entries(others)) test(name, () => expect(read(json)).toBeUndefined())
})

test('a surrogate pair is one character of the limit', () => {
  expect(read(`{"numbers":[1],"text":"${'😀'.repeat(10)}"}`)?.text).toHaveLength(20)
  expect(read(`{"numbers":[1],"text":"${'😀'.repeat(11)}"}`)).toBeUndefined()
})
