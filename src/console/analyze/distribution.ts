import type { Bar } from '../plots/bar.ts'

/** The distribution of a set of numbers, for a histogram and a box plot. */
export interface Distribution {
  readonly count: number
  readonly minimum: number
  readonly maximum: number
  readonly quartiles: readonly [q1: number, median: number, q3: number]
  /** The furthest values within 1.5 interquartile ranges of the box. */
  readonly whiskers: readonly [low: number, high: number]
  /** The number of values beyond the whiskers, and some of them. */
  readonly outliers: { readonly count: number; readonly examples: readonly number[] }
  readonly bins: readonly Bar[]
}

const maxBins = 80
const maxExamples = 100

/**
 * Describes how numbers are distributed, in O(n log n).
 *
 * @param numbers finite; at least one
 */
export function describeDistribution(numbers: Float64Array): Distribution {
  const sorted = numbers.toSorted()
  const at = (i: number): number => sorted[i] as number
  const [minimum, maximum] = [at(0), at(sorted.length - 1)]
  const quartiles = [quantile(sorted, 0.25), quantile(sorted, 0.5), quantile(sorted, 0.75)] as const
  const [q1, , q3] = quartiles
  const reach = 1.5 * (q3 - q1)
  const first = sorted.findIndex((value) => value >= q1 - reach)
  const last = sorted.findLastIndex((value) => value <= q3 + reach)
  const outside = [...sorted.subarray(0, first), ...sorted.subarray(last + 1)]
  return {
    count: sorted.length,
    minimum,
    maximum,
    quartiles,
    whiskers: [at(first), at(last)],
    outliers: { count: outside.length, examples: pickEvenly([...new Set(outside)], maxExamples) },
    bins: countBins(sorted, findBinWidth(sorted.length, q3 - q1, maximum - minimum)),
  }
}

/**
 * The quantile by linear interpolation (type 7 of Hyndman and Fan, 1996), the default of R and NumPy.
 *
 * @param sorted ascending; at least one
 * @example quantile(Float64Array.of(1, 2, 3, 4), 0.5) // 2.5
 */
export function quantile(sorted: Float64Array, share: number): number {
  const position = (sorted.length - 1) * share
  const below = Math.floor(position)
  const low = sorted[below] as number
  const high = sorted[Math.min(below + 1, sorted.length - 1)] as number
  return low + (high - low) * (position - below)
}

/**
 * The width of bins by Freedman and Diaconis (1981): 2 · IQR / ∛n. If half of the values are equal, it is 0, and
 * Sturges' rule (1926) decides.
 */
function findBinWidth(count: number, interquartileRange: number, range: number): number {
  if (range === 0) return 1
  const width = (2 * interquartileRange) / Math.cbrt(count)
  const bins = width > 0 ? Math.ceil(range / width) : Math.ceil(Math.log2(count)) + 1
  return range / Math.min(Math.max(bins, 1), maxBins)
}

function countBins(sorted: Float64Array, width: number): Bar[] {
  const minimum = sorted[0] as number
  const range = (sorted.at(-1) as number) - minimum
  // A constant gets one bin around it.
  if (range === 0) return [{ start: minimum - width / 2, end: minimum + width / 2, count: sorted.length }]
  const counts = new Array<number>(Math.max(1, Math.round(range / width))).fill(0)
  for (const value of sorted) {
    // The last bin includes the largest value.
    const bin = Math.min(Math.floor((value - minimum) / width), counts.length - 1)
    counts[bin] = (counts[bin] ?? 0) + 1
  }
  return counts.map((count, i) => ({ start: minimum + i * width, end: minimum + (i + 1) * width, count }))
}

/** At most `max` items, evenly spaced over the list. */
function pickEvenly(items: readonly number[], max: number): number[] {
  const step = Math.max(1, items.length / max)
  return Array.from({ length: Math.min(items.length, max) }, (_, i) => items[Math.floor(i * step)] as number)
}
