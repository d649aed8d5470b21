import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { deeperThan, keyOf, withId } from '../../src/documents/document-json.ts'

test('putting an id into a text changes nothing else of what it means', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.nat(3), fc.string(), (members, indent, id) => {
      const { id: _, ...rest } = members
      const text = JSON.stringify(rest, undefined, indent)
      expect(JSON.parse(withId(text, id))).toEqual(JSON.parse(JSON.stringify({ id, ...rest })))
    }),
  )
})

test.each([
  ['a', 'a'],
  [7, '7'],
  [0, '0'],
  [Number.MAX_SAFE_INTEGER, '9007199254740991'],
  [-1, undefined],
  [1.5, undefined],
  [2 ** 53, undefined],
  [null, undefined],
  [true, undefined],
])('the key of the id %p is %p', (id, key) => {
  expect(keyOf(id)).toBe(key)
})

test('depth counts the levels of arrays and objects', () => {
  expect(deeperThan(1, 0)).toBe(false)
  expect(deeperThan({}, 0)).toBe(true)
  expect(deeperThan([[1]], 2)).toBe(false)
  expect(deeperThan({ a: [[1]] }, 2)).toBe(true)
  expect(deeperThan([1, [2], { a: [] }], 3)).toBe(false)
})
