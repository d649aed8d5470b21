import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import fc from 'fast-check'
import { analyzeNumbers } from '../../../src/analysis/numeric/numeric.ts'
import { ExactMoments } from './exact-reference.ts'
import { numberLists } from './number-lists.ts'

// Exact rational arithmetic on long lists takes time on a busy machine.
setDefaultTimeout(60_000)

/** The same sequence of doubles in [0, 1) in every run (D. H. Lehmer's generator, 48271). */
function uniform(count: number): Float64Array {
  let state = 1
  return Float64Array.from({ length: count }, () => {
    state = (state * 48271) % 2147483647
    return state / 2147483647
  })
}

function plainMedian(numbers: Iterable<number>): number {
  const sorted = Float64Array.from(numbers).sort()
  const upper = sorted.length >> 1
  const above = sorted[upper]!
  if (sorted.length % 2 === 1) return above + 0
  const below = sorted[upper - 1]!
  const sum = below + above
  return Number.isFinite(sum) ? sum / 2 + 0 : below / 2 + above / 2
}

function expectExact(numbers: readonly number[] | Float64Array): void {
  const exact = new ExactMoments(numbers)
  const result = analyzeNumbers(numbers)
  const isDeviation =
    exact.isStandardDeviation(result.standard_deviation) ||
    (result.standard_deviation === Number.MAX_VALUE && exact.isStandardDeviation(Number.POSITIVE_INFINITY))
  expect({ mean: exact.isMean(result.mean), deviation: isDeviation }).toEqual({ mean: true, deviation: true })
  expect(result.median).toBe(plainMedian(numbers))
  const sorted = Float64Array.from(numbers).sort()
  expect(result.minimum).toBe(sorted[0]! + 0)
  expect(result.maximum).toBe(sorted[sorted.length - 1]! + 0)
  expect(result.count).toBe(numbers.length)
}

describe('every result is the double nearest to the exact value', () => {
  for (const [kind, lists] of Object.entries(numberLists)) {
    test(kind, () => {
      fc.assert(
        fc.property(lists, (numbers) => {
          expectExact(numbers)
        }),
        { numRuns: 300 },
      )
    })
  }

  test('lists longer than a block of the summation', () => {
    for (const count of [1023, 1024, 1025, 2047, 2048, 2049, 5000]) {
      expectExact(uniform(count))
      expectExact(uniform(count).map((x) => 1e9 + x))
      expectExact(uniform(count).map((x) => Math.floor(x * 5)))
    }
  })

  test('100,000 numbers around zero', () => {
    expectExact(uniform(100_000).map((x) => x - 0.5))
  })

  test('100,000 numbers with a spread of a few units in the last place', () => {
    expectExact(uniform(100_000).map((x) => 1 + Math.floor(x * 4) * 2 ** -52))
  })

  test('a few numbers near zero among many far from it', () => {
    const values = new Float64Array(20_000)
    for (const far of uniform(40)) {
      values.fill(1e6)
      values.set([far, far / 3], 7777)
      expectExact(values)
    }
  })

  test('100,000 numbers of all magnitudes', () => {
    expectExact(uniform(100_000).map((x, i) => (i % 2 === 0 ? x : -x) * 2 ** (((i * 7919) % 2000) - 1000)))
  })

  test('1,000,000 numbers', () => {
    expectExact(uniform(1_000_000).map((x) => x * 1000))
  })
})

describe('known results', () => {
  test('the documented example', () => {
    expect(analyzeNumbers([1, 2, 3, 4, 5])).toEqual({
      count: 5,
      minimum: 1,
      maximum: 5,
      mean: 3,
      median: 3,
      standard_deviation: 1.5811388300841898,
    })
  })

  test('the deviation of one number is 0', () => {
    expect(analyzeNumbers([-7.25])).toEqual({
      count: 1,
      minimum: -7.25,
      maximum: -7.25,
      mean: -7.25,
      median: -7.25,
      standard_deviation: 0,
    })
  })

  test('the median of an even count is the mean of the two middle values', () => {
    expect(analyzeNumbers([4, 1, 3, 2]).median).toBe(2.5)
    expect(analyzeNumbers([1, 2]).median).toBe(1.5)
    expect(analyzeNumbers([10, -1, 7, 7, 0, 9]).median).toBe(7)
  })

  test('the mean of ten tenths is a tenth', () => {
    const { mean, standard_deviation } = analyzeNumbers(Array<number>(10).fill(0.1))
    expect(mean).toBe(0.1)
    expect(standard_deviation).toBe(0)
  })

  test('sums beyond the largest double do not overflow', () => {
    expect(analyzeNumbers([1e308, 1e308])).toMatchObject({
      mean: 1e308,
      median: 1e308,
      standard_deviation: 0,
    })
    expect(analyzeNumbers([1e308, 1.5e308])).toMatchObject({ mean: 1.25e308, median: 1.25e308 })
  })

  test('cancellation leaves the exact rest', () => {
    expect(analyzeNumbers([1, 1e100, 1, -1e100]).mean).toBe(0.5)
    expect(analyzeNumbers([1e308, -1e308, 1e-308]).mean).toBe(1e-308 / 3)
    expect(analyzeNumbers([-1, 0, 1])).toMatchObject({ mean: 0, median: 0, standard_deviation: 1 })
  })

  test('a mean halfway between two doubles rounds to the even one', () => {
    expect(analyzeNumbers([1, 1 + 2 ** -52]).mean).toBe(1)
    expect(analyzeNumbers([1 + 2 ** -52, 1 + 2 ** -51]).mean).toBe(1 + 2 ** -51)
  })

  test('a deviation halfway between two doubles rounds to the even one', () => {
    // The deviation of a, a, a, b is exactly (b - a) / 2.
    expect(analyzeNumbers([-1, -1, -1, 2 ** 53]).standard_deviation).toBe(2 ** 52)
    expect(analyzeNumbers([-1, -1, -1, 2 ** 53 + 2]).standard_deviation).toBe(2 ** 52 + 2)
  })

  test('a deviation above the largest double becomes the largest double', () => {
    const { mean, standard_deviation } = analyzeNumbers([Number.MAX_VALUE, -Number.MAX_VALUE])
    expect(mean).toBe(0)
    expect(standard_deviation).toBe(Number.MAX_VALUE)
  })

  test('the result contains no negative zero', () => {
    for (const numbers of [[-0], [-0, -0], [0, -0], [-0, 1, -0], [-1, -0, -0, 1], [-(2 ** -1074), 0]]) {
      const { minimum, maximum, mean, median, standard_deviation } = analyzeNumbers(numbers)
      for (const value of [minimum, maximum, mean, median, standard_deviation]) {
        expect(Object.is(value, -0)).toBe(false)
      }
    }
  })
})

/**
 * NIST's Statistical Reference Datasets, univariate summary statistics: the four that test summation. The certified
 * values are those of the decimal data. Doubles hold .1, .2 and .3 only approximately, hence the tolerances.
 */
describe('NIST StRD', () => {
  const alternating = (offset: number) => {
    const pairs = Array.from({ length: 500 }, () => [offset + 0.1, offset + 0.3]).flat()
    return [offset + 0.2, ...pairs]
  }

  test('NumAcc1', () => {
    const { mean, standard_deviation } = analyzeNumbers([10000001, 10000003, 10000002])
    expect(mean).toBe(10000002)
    expect(standard_deviation).toBe(1)
  })

  for (const [name, offset, tolerance] of [
    ['NumAcc2', 1, 1e-15],
    ['NumAcc3', 1e6, 1e-9],
    ['NumAcc4', 1e7, 1e-8],
  ] as const) {
    test(name, () => {
      const numbers = alternating(offset)
      const { mean, standard_deviation } = analyzeNumbers(numbers)
      expectExact(numbers)
      expect(mean).toBe(offset + 0.2)
      expect(Math.abs(standard_deviation - 0.1)).toBeLessThan(tolerance)
    })
  }
})

describe('the list', () => {
  test('is not changed', () => {
    for (const count of [5, 100, 1000, 5000]) {
      const doubles = uniform(count)
      const array = Array.from(doubles)
      analyzeNumbers(doubles)
      analyzeNumbers(array)
      expect(doubles).toEqual(uniform(count))
      expect(array).toEqual(Array.from(uniform(count)))
    }
  })

  test('may be an array or a typed array', () => {
    for (const count of [1, 2, 63, 64, 65, 1000, 3000]) {
      expect(analyzeNumbers(Array.from(uniform(count)))).toEqual(analyzeNumbers(uniform(count)))
    }
  })

  test('does not affect the next call', () => {
    analyzeNumbers([1e308, -1e308, 1e-308, 5, 6, 7, 8])
    expect(analyzeNumbers([3, 1]).median).toBe(2)
    expect(analyzeNumbers([1e308, -1e308, 1e-308]).mean).toBe(1e-308 / 3)
  })

  test('must not be empty', () => {
    expect(() => analyzeNumbers([])).toThrow(RangeError)
    expect(() => analyzeNumbers(new Float64Array(0))).toThrow(RangeError)
  })
})
