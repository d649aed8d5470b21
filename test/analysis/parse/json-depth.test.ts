import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { exceedsDepth } from '../../../src/analysis/parse/json-depth.ts'

/** The nesting depth of a parsed value: 0 for anything but an array or an object. */
function measureDepth(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  return 1 + Math.max(0, ...Object.values(value).map(measureDepth))
}

test('agrees with the depth of the parsed value for every JSON text', () => {
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
    fc.property(value, fc.integer({ min: 0, max: 6 }), (nested, maxDepth) => {
      expect(exceedsDepth(JSON.stringify(nested), maxDepth)).toBe(measureDepth(nested) > maxDepth)
    }),
    { numRuns: 2_000 },
  )
})

test('accepts the maximum depth and rejects one level more', () => {
  const nested = (maxDepth: number) => '['.repeat(maxDepth) + ']'.repeat(maxDepth)
  expect(exceedsDepth(nested(1_000), 1_000)).toBe(false)
  expect(exceedsDepth(nested(1_001), 1_000)).toBe(true)
})

test('does not count adjacent brackets as nested', () => {
  expect(exceedsDepth(`[${'[{}],'.repeat(10_000)}1]`, 3)).toBe(false)
})

test('does not read past the text in an unterminated string', () => {
  expect(exceedsDepth(`"${'['.repeat(100)}\\`, 2)).toBe(false)
})
