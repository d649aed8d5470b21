import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { findDuplicate, isMultipleOf } from '../../../src/documents/schema/exact-keywords.ts'

test('every price up to 1,000.00 is a multiple of 0.01, and none with a third decimal is', () => {
  for (let cents = 0; cents <= 100_000; cents++) {
    const price = Number((cents / 100).toFixed(2))
    expect([price, isMultipleOf(price, 0.01)]).toEqual([price, true])
    const more = Number(`${price.toFixed(2)}5`)
    expect([more, isMultipleOf(more, 0.01)]).toEqual([more, false])
  }
})

test('agrees with the arithmetic of whole numbers, for all decimals', () => {
  const decimals = fc.integer({ min: 0, max: 9 })
  fc.assert(
    fc.property(
      fc.maxSafeInteger(),
      fc.integer({ min: 1, max: 1_000_000 }),
      decimals,
      decimals,
      (n, d, p, q) => {
        const value = Number(`${n}e-${p}`)
        const divisor = Number(`${d}e-${q}`)
        // Beyond 15 digits the shortest decimal of a double may be another one.
        fc.pre(Math.abs(n) < 1e15)
        const scale = Math.max(p, q)
        const remainder = (BigInt(n) * 10n ** BigInt(scale - p)) % (BigInt(d) * 10n ** BigInt(scale - q))
        expect(isMultipleOf(value, divisor)).toBe(remainder === 0n)
      },
    ),
    { numRuns: 2_000 },
  )
})

test.each([
  [19.99, 0.01, true],
  [-19.99, 0.01, true],
  [0, 0.01, true],
  [-0, 0.1, true],
  [0.3, 0.1, true],
  [1e21, 1, true],
  [1e308, 1e-300, true],
  [1e-7, 1e-8, true],
  [1e-8, 1e-7, false],
  [1.5, 1, false],
  [7, 0.07, true],
  [5e-324, 5e-324, true],
])('isMultipleOf(%p, %p) is %p', (value, divisor, is) => {
  expect(isMultipleOf(value, divisor)).toBe(is)
})

test('finds duplicates as comparing every pair does', () => {
  const item = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      fc.constantFrom<unknown>(null, true, false, 0, -0, 1, '', '1', 'a', 'null', '[]'),
      fc.array(tie('value'), { maxLength: 2 }),
      fc.dictionary(fc.constantFrom('a', 'b', 'constructor'), tie('value'), { maxKeys: 2 }),
    ),
  })).value
  const isEqual = (a: unknown, b: unknown): boolean =>
    Bun.deepEquals(JSON.parse(JSON.stringify(a)), JSON.parse(JSON.stringify(b)))
  fc.assert(
    fc.property(fc.array(item, { maxLength: 6 }), (items) => {
      const hasDuplicate = items.some((a, i) => items.some((b, j) => i < j && isEqual(a, b)))
      const duplicate = findDuplicate(items)
      expect(duplicate !== undefined).toBe(hasDuplicate)
      if (duplicate !== undefined) expect(isEqual(items[duplicate[0]], items[duplicate[1]])).toBe(true)
    }),
    { numRuns: 2_000 },
  )
})

test('ignores the order of members, and distinguishes infinities', () => {
  expect(findDuplicate([{ a: 1, b: [2] }, 3, { b: [2], a: 1 }])).toEqual([0, 2])
  expect(findDuplicate(JSON.parse('[1e999,-1e999,null]'))).toBeUndefined()
  expect(findDuplicate(JSON.parse('[1e999,1e999]'))).toEqual([0, 1])
  expect(findDuplicate(JSON.parse('[{},{"__proto__":{}}]'))).toBeUndefined()
})
