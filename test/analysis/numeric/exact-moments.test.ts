import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { exactMoments } from '../../../src/analysis/numeric/exact-moments.ts'
import { ExactMoments } from './exact-reference.ts'
import { numberLists } from './number-lists.ts'

/** analyzeNumbers rarely needs exact arithmetic, so this runs the same tests on it directly. */
describe('exact arithmetic rounds once', () => {
  for (const [kind, lists] of Object.entries(numberLists)) {
    test(kind, () => {
      fc.assert(
        fc.property(lists, (numbers) => {
          fc.pre(numbers.length >= 2)
          const exact = new ExactMoments(numbers)
          const { mean, standardDeviation } = exactMoments(Float64Array.from(numbers), numbers.length)
          expect(exact.isMean(mean)).toBe(true)
          expect(exact.isStandardDeviation(standardDeviation)).toBe(true)
        }),
        { numRuns: 100 },
      )
    })
  }

  test('more numbers of one exponent than fit into a column without a carry', () => {
    const values = Float64Array.from({ length: 300_000 }, (_, i) => 2 - (1 + (i % 1000)) * 2 ** -52)
    const exact = new ExactMoments(values)
    const { mean, standardDeviation } = exactMoments(values, values.length)
    expect(exact.isMean(mean)).toBe(true)
    expect(exact.isStandardDeviation(standardDeviation)).toBe(true)
  })

  test('only zeros', () => {
    expect(exactMoments(Float64Array.of(0, -0, 0), 3)).toEqual({ mean: 0, standardDeviation: 0 })
  })

  test('a deviation halfway between two subnormals rounds to the even one', () => {
    // The deviation of 0, 0, 0, x is exactly x / 2.
    const smallest = 2 ** -1074
    expect(exactMoments(Float64Array.of(0, 0, 0, smallest), 4).standardDeviation).toBe(0)
    expect(exactMoments(Float64Array.of(0, 0, 0, 3 * smallest), 4).standardDeviation).toBe(2 * smallest)
    expect(exactMoments(Float64Array.of(0, 0, 0, 5 * smallest), 4).standardDeviation).toBe(2 * smallest)
  })
})
