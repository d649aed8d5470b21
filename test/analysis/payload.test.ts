import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import {
  analyze,
  analyzeTaskPayload,
  compact,
  isPayload,
  payloadSchema,
  taskPayloadSchema,
} from '../../src/analysis/payload.ts'

const limits = { maxNumbers: 5, maxTextLength: 4 }
const schema = payloadSchema(limits)

/** Valid and nearly valid payloads, as JSON.parse would return them. */
const nearlyPayloads = fc
  .record(
    {
      numbers: fc.oneof(
        {
          weight: 3,
          arbitrary: fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), {
            minLength: 1,
            maxLength: 6,
          }),
        },
        fc.array(fc.oneof(fc.double({ noNaN: true }), fc.constantFrom('1', null, true, [1])), {
          maxLength: 7,
        }),
        fc.jsonValue(),
      ),
      text: fc.oneof({ weight: 3, arbitrary: fc.string({ unit: 'binary', maxLength: 6 }) }, fc.jsonValue()),
      extra: fc.jsonValue(),
    },
    { requiredKeys: [] },
  )
  .chain((record) => fc.constantFrom(record, { ...record, extra: undefined }))
  .map((record) => Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)))

test('isPayload accepts exactly what the schema accepts', () => {
  let accepted = 0
  fc.assert(
    fc.property(fc.oneof({ weight: 9, arbitrary: nearlyPayloads }, fc.jsonValue()), (value) => {
      const yes = isPayload(value, limits)
      if (yes) accepted++
      expect(yes).toBe(schema.safeParse(value).success)
    }),
    { numRuns: 2_000 },
  )
  // About one in five is valid, so chance cannot miss this bound.
  expect(accepted).toBeGreaterThan(50)
})

test.each([
  ['a member named __proto__', '{"numbers":[1],"text":"a","__proto__":1}'],
  ['a payload inherited through __proto__', '{"__proto__":{"numbers":[1],"text":"a"}}'],
  ['an array with the members of a payload missing', '[[1],"a"]'],
])('rejects %s', (_, json) => {
  expect(isPayload(JSON.parse(json), limits)).toBe(false)
  expect(schema.safeParse(JSON.parse(json)).success).toBe(false)
})

test('the schema stops at twenty issues', () => {
  const numbers = Array.from({ length: 1_000_000 }, () => 'no')
  const { error } = payloadSchema({ maxNumbers: 1_000_000, maxTextLength: 1 }).safeParse({
    numbers,
    text: 'a',
  })
  expect(error?.issues.map(({ path }) => path)).toEqual(Array.from({ length: 20 }, (_, i) => ['numbers', i]))
})

describe('a task payload', () => {
  const taskPayload = taskPayloadSchema(limits)

  test('is only a text, or numbers and a text', () => {
    expect(taskPayload.safeParse('abc').success).toBe(true)
    expect(taskPayload.safeParse({ numbers: [1], text: 'abc' }).success).toBe(true)
    for (const value of ['', 'abcde', {}, { numbers: [1] }, null, 5, undefined])
      expect(taskPayload.safeParse(value).success).toBe(false)
  })

  test('has the result of POST /payload, or only a text analysis for a text', () => {
    const payload = { numbers: [1, 2, 3], text: 'a b' }
    expect(analyzeTaskPayload(payload)).toEqual(analyze(payload))
    expect(analyzeTaskPayload('a b')).toEqual({ text_analysis: analyze(payload).text_analysis })
  })
})

test('compact returns the same figures under short names', () => {
  const analysis = analyze({ numbers: [1, 2, 3, 4, 5], text: 'Sample text for analysis' })
  expect(compact(analysis)).toEqual({
    numeric: { min: 1, max: 5, mean: 3, median: 3, stddev: 1.5811388300841898 },
    text: { word_count: 4, char_count: 24 },
  })
})
