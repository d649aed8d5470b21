import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { medianInPlace } from '../../../src/analysis/numeric/selection.ts'

function plainMedian(values: Float64Array): number {
  const sorted = values.slice().sort()
  const upper = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[upper]! : (sorted[upper - 1]! + sorted[upper]!) / 2
}

/** The median of a copy. */
function medianOf(values: Float64Array): number {
  return medianInPlace(values.slice(), values.length, Math.min(...values), Math.max(...values))
}

/** Musser's sequence (Introspective sorting and selection algorithms, 1997): quadratic for a median of three. */
function medianOfThreeKiller(count: number): number[] {
  const half = count >> 1
  return Array.from({ length: count }, (_, i) =>
    i < half ? (i % 2 === 0 ? i + 1 : half + i) : 2 * (i - half + 1),
  )
}

const orders: Record<string, (count: number) => number[]> = {
  sorted: (count) => Array.from({ length: count }, (_, i) => i),
  reversed: (count) => Array.from({ length: count }, (_, i) => count - i),
  'all equal': (count) => Array<number>(count).fill(7),
  'two alternating values': (count) => Array.from({ length: count }, (_, i) => i % 2),
  'all equal but one': (count) => Array.from({ length: count }, (_, i) => (i === count >> 1 ? 1 : 0)),
  'organ pipe': (count) => Array.from({ length: count }, (_, i) => Math.min(i, count - i)),
  valley: (count) => Array.from({ length: count }, (_, i) => Math.max(i, count - i)),
  sawtooth: (count) => Array.from({ length: count }, (_, i) => i % 17),
  'long sawtooth': (count) => Array.from({ length: count }, (_, i) => (i * 389) % 1009),
  // Three distributions that defeat counting by interval.
  'powers of two': (count) => Array.from({ length: count }, (_, i) => 2 ** ((i * 7) % 1000)),
  'crowded at the end': (count) => Array.from({ length: count }, (_, i) => (i < 2 ? -1e9 * i : i % 991)),
  'two far groups': (count) => Array.from({ length: count }, (_, i) => ((i * 389) % 1009) + (i % 2) * 1e12),
  'wider than a double': (count) => Array.from({ length: count }, (_, i) => ((i % 5) - 2) * 4.6e307),
  subnormal: (count) => Array.from({ length: count }, (_, i) => ((i * 389) % 1009) * 2 ** -1074),
  'a narrow range far from zero': (count) => Array.from({ length: count }, (_, i) => 1 + (i % 97) * 2 ** -52),
  'median-of-three killer': medianOfThreeKiller,
  // The middle value is always the largest of the rest, so every partition removes one value.
  'up, then down from above': (count) =>
    Array.from({ length: count }, (_, i) => (i < count >> 1 ? i : 2 * count - i)),
  'down to below, then up': (count) =>
    Array.from({ length: count }, (_, i) => (i < count >> 1 ? i - count : -count - i)),
}

describe('the median is the middle of the sorted values', () => {
  for (const [name, order] of Object.entries(orders)) {
    test(name, () => {
      for (const count of [1, 2, 3, 4, 5, 16, 17, 63, 64, 65, 599, 600, 601, 602, 1000, 5001, 20_000]) {
        const values = Float64Array.from(order(count))
        expect(medianOf(values)).toBe(plainMedian(values))
        expect(medianOf(values.map((x) => -x))).toBe(-plainMedian(values))
      }
    })
  }

  test('any short list, with and without repetition', () => {
    const lists = fc.oneof(
      fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 40, size: 'max' }),
      fc.array(fc.integer(), { minLength: 1, maxLength: 1500, size: 'max' }),
    )
    fc.assert(
      fc.property(lists, (list) => {
        const values = Float64Array.from(list)
        expect(medianOf(values)).toBe(plainMedian(values))
      }),
      { numRuns: 300 },
    )
  })
})

test('considers only the first `count` values', () => {
  expect(medianInPlace(Float64Array.of(3, 1, 2, 100, 100, 100), 3, 1, 3)).toBe(2)
})

test('reorders the values and keeps them all', () => {
  const values = Float64Array.from(orders['long sawtooth']!(5000))
  const sorted = values.slice().sort()
  medianInPlace(values, values.length, 0, 1008)
  expect(values.sort()).toEqual(sorted)
})

test('the mean of the two middle values neither overflows nor rounds twice', () => {
  expect(medianOf(Float64Array.of(1.7e308, 1.5e308))).toBe(1.6e308)
  expect(medianOf(Float64Array.of(-1.7e308, 1.7e308))).toBe(0)
  expect(medianOf(Float64Array.of(2 ** -1074, 2 ** -1073))).toBe(2 ** -1073)
  expect(medianOf(Float64Array.of(0, 2 ** -1074))).toBe(0)
})
