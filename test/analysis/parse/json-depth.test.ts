import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { exceedsDepth } from '../../../src/analysis/parse/json-depth.ts'

/** How deep a parsed value is nested: 0 for what is no array and no object. */
function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  return 1 + Math.max(0, ...Object.values(value).map(depthOf))
}

test('of every JSON text it says what its parsed value says', () => {
  const brackets = fc.string({ unit: fc.constantFrom('[', ']', '{', '}', '"', '\\', 'a', ',') })
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: 'large', withCrossShrink: true },
      fc.oneof(brackets, fc.integer(), fc.constant(null)),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(brackets, tie('value'), { maxKeys: 3 }),
    ),
  }))
  fc.assert(
    fc.property(value, fc.integer({ min: 0, max: 6 }), (nested, levels) => {
      expect(exceedsDepth(JSON.stringify(nested), levels)).toBe(depthOf(nested) > levels)
    }),
    { numRuns: 2_000 },
  )
})

test('the bound itself is not deeper, one more level is', () => {
  const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels)
  expect(exceedsDepth(nested(1_000), 1_000)).toBe(false)
  expect(exceedsDepth(nested(1_001), 1_000)).toBe(true)
})

test('many openings side by side are not deep', () => {
  expect(exceedsDepth(`[${'[{}],'.repeat(10_000)}1]`, 3)).toBe(false)
})

test('a text that never ends its string is looked at to its end and no further', () => {
  expect(exceedsDepth(`"${'['.repeat(100)}\\`, 2)).toBe(false)
})
