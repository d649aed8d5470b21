import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { exceedsDepth, insertId, normalizeId } from '../../src/documents/document-json.ts'

test('insertId changes nothing but the id of a text', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.nat(3), fc.string(), (members, indent, id) => {
      const { id: _, ...rest } = members
      const text = JSON.stringify(rest, undefined, indent)
      expect(JSON.parse(insertId(text, id))).toEqual(JSON.parse(JSON.stringify({ id, ...rest })))
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
])('normalizeId(%p) is %p', (id, key) => {
  expect(normalizeId(id)).toBe(key)
})

test('exceedsDepth counts the levels of arrays and objects', () => {
  expect(exceedsDepth(1, 0)).toBe(false)
  expect(exceedsDepth({}, 0)).toBe(true)
  expect(exceedsDepth([[1]], 2)).toBe(false)
  expect(exceedsDepth({ a: [[1]] }, 2)).toBe(true)
  expect(exceedsDepth([1, [2], { a: [] }], 3)).toBe(false)
})
