import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { describeDistribution, quantile } from '../../src/console/analyze/distribution.ts'
import { countWordLengths } from '../../src/console/analyze/word-lengths.ts'

describe('a distribution', () => {
  test('has the quartiles of R and NumPy, and the whiskers of Tukey', () => {
    const { quartiles, whiskers, outliers, count } = describeDistribution(
      Float64Array.of(100, 7, 1, 2, 3, 4, 5, 6),
    )
    expect(count).toBe(8)
    expect(quartiles).toEqual([2.75, 4.5, 6.25])
    expect(whiskers).toEqual([1, 7])
    expect(outliers).toEqual({ count: 1, examples: [100] })
  })

  test('has bins by the rule of Freedman and Diaconis', () => {
    // IQR 500 of 1,000 numbers: bins of 2 · 500 / 10 = 100.
    const { bins } = describeDistribution(Float64Array.from({ length: 1_000 }, (_, i) => i))
    expect(bins).toHaveLength(10)
    expect(bins.every(({ count }) => count >= 99 && count <= 101)).toBe(true)
  })

  test('of a constant has one bin around it', () => {
    const { bins, quartiles } = describeDistribution(Float64Array.of(3, 3, 3))
    expect(bins).toEqual([{ start: 2.5, end: 3.5, count: 3 }])
    expect(quartiles).toEqual([3, 3, 3])
  })

  test('of any numbers counts each of them once, in ascending bins from the smallest to the largest', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ noNaN: true, min: -1e9, max: 1e9 }), { minLength: 1, maxLength: 200 }),
        (numbers) => {
          const { bins, minimum, maximum, whiskers } = describeDistribution(Float64Array.from(numbers))
          expect(bins.reduce((total, { count }) => total + count, 0)).toBe(numbers.length)
          expect(bins.length).toBeLessThanOrEqual(80)
          expect(minimum).toBe(Math.min(...numbers))
          expect(maximum).toBe(Math.max(...numbers))
          expect(whiskers[0]).toBeGreaterThanOrEqual(minimum)
          expect(whiskers[1]).toBeLessThanOrEqual(maximum)
        },
      ),
    )
  })

  test('interpolates between neighbors', () => {
    expect(quantile(Float64Array.of(1, 2, 3, 4), 0.5)).toBe(2.5)
    expect(quantile(Float64Array.of(7), 0.99)).toBe(7)
  })
})

test('word lengths are counted in code points, and long words together', () => {
  expect(countWordLengths('')).toEqual([])
  expect(countWordLengths('a bc 😀😀')).toEqual([
    { start: 1, end: 2, count: 1 },
    { start: 2, end: 3, count: 2 },
  ])
  expect(countWordLengths('x'.repeat(500))).toHaveLength(20)
})
