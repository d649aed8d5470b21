/** Above this count, the pivot comes from a sample (Floyd and Rivest found 600 by experiment). */
const sampleThreshold = 600

/** Numbers that a selection may visit, as a multiple of its input; a random order needs about 2. */
const maxWorkFactor = 16

/** Minimum length of a list for counting by interval before the selection. */
const countingMinLength = 64

/** Intervals between minimum and maximum; the maximum itself falls into an extra one. */
const intervalCount = 256
const counts = new Int32Array(intervalCount + 1)

/**
 * The median of the first `count` values, which it reorders. For an even count, the mean of the two middle values,
 * rounded once and without overflow.
 *
 * Selects instead of sorting: counting finds the interval with the middle, and `select` finds the middle within that
 * interval, usually among few numbers. That is faster than `select` alone. Cost: O(n). An input crafted to defeat the
 * selection costs one sort, O(n log n).
 *
 * @param count at least 1; no NaN among the values
 * @param minimum the minimum of the values
 * @param maximum the maximum of the values
 * @example medianInPlace(Float64Array.of(4, 1, 3, 2), 4, 1, 4) // 2.5
 */
export function medianInPlace(values: Float64Array, count: number, minimum: number, maximum: number): number {
  const whole: Part = { count, upper: count >> 1 }
  const part = count < countingMinLength ? whole : keepMiddleInterval(values, whole, minimum, maximum)
  select(values, 0, part.count - 1, part.upper, maxWorkFactor * part.count)
  const above = values[part.upper]!
  if (count % 2 === 1) return above
  let below = values[0]!
  for (let i = 1; i < part.upper; i++) {
    if (values[i]! > below) below = values[i]!
  }
  const sum = below + above
  // Halving is exact unless the result is subnormal, and then the sum is exact: rounded once either way.
  return Number.isFinite(sum) ? sum / 2 : below / 2 + above / 2
}

/** The first `count` values, which include the middle ones; `upper` is the rank of the larger middle value. */
interface Part {
  readonly count: number
  readonly upper: number
}

/**
 * Moves the values of the interval with the middle to the front. If the two middle values are in different intervals,
 * moves the values of both.
 *
 * The bounds of an interval are rounded. This is harmless, because a smaller value never falls into a later interval.
 */
function keepMiddleInterval(values: Float64Array, whole: Part, minimum: number, maximum: number): Part {
  const { count, upper } = whole
  const scale = intervalCount / (maximum - minimum)
  // The range may overflow, or be so small that its inverse overflows.
  if (!(scale > 0 && scale < Number.POSITIVE_INFINITY)) return whole
  counts.fill(0)
  for (let i = 0; i < count; i++) counts[((values[i]! - minimum) * scale) | 0]!++

  const lower = (count - 1) >> 1
  let first = 0
  let before = 0
  while (before + counts[first]! <= lower) before += counts[first++]!
  let last = first
  let behind = before + counts[first]!
  while (behind <= upper) behind += counts[++last]!

  let kept = 0
  for (let i = 0; i < count; i++) {
    const x = values[i]!
    const interval = ((x - minimum) * scale) | 0
    // Not `>= first && <= last`: the processor cannot predict the first comparison. Intervals between the two are empty.
    if (interval === first || interval === last) {
      values[i] = values[kept]!
      values[kept++] = x
    }
  }
  return { count: kept, upper: upper - before }
}

/**
 * Moves the value of a rank to its place within `left..right`, with no larger value before it and no smaller one after.
 *
 * Floyd & Rivest's SELECT (Expected time bounds for selection, CACM 18, 1975): quickselect with a pivot from a sample,
 * chosen just beyond the rank, so that one partition discards almost half. Sorts the rest after `maxWork` visited
 * numbers.
 */
function select(values: Float64Array, left: number, right: number, rank: number, maxWork: number): void {
  let work = maxWork
  while (right > left) {
    const count = right - left + 1
    work -= count
    if (work < 0) {
      values.subarray(left, right + 1).sort()
      return
    }
    if (count > sampleThreshold) selectInSample(values, left, right, rank)
    const pivot = values[rank]!
    const notBelow = moveBelow(values, left, right, pivot)
    if (rank < notBelow) {
      right = notBelow - 1
    } else {
      const above = moveEqual(values, notBelow, right, pivot)
      if (rank < above) return
      left = above
    }
  }
}

/** Selects within a small part around the rank, to move a value close to the result to the rank. */
function selectInSample(values: Float64Array, left: number, right: number, rank: number): void {
  const count = right - left + 1
  const position = rank - left + 1
  const logarithm = Math.log(count)
  const size = 0.5 * Math.exp((2 * logarithm) / 3)
  const deviation = 0.5 * Math.sqrt((logarithm * size * (count - size)) / count)
  const beyond = position < count / 2 ? -deviation : deviation
  const from = Math.max(left, Math.floor(rank - (position * size) / count + beyond))
  const to = Math.min(right, Math.floor(rank + ((count - position) * size) / count + beyond))
  select(values, from, to, rank, maxWorkFactor * (to - from + 1))
}

/**
 * Moves the values below the pivot to the front of `left..right` and returns the index after them.
 *
 * Lomuto's partition without a branch: swaps every value and moves the boundary by the result of the comparison. Hoare's
 * partition swaps less, but it branches on comparisons with the pivot, and with a good pivot the processor mispredicts
 * every other one.
 */
function moveBelow(values: Float64Array, left: number, right: number, pivot: number): number {
  let boundary = left
  for (let i = left; i <= right; i++) {
    const x = values[i]!
    values[i] = values[boundary]!
    values[boundary] = x
    boundary += +(x < pivot)
  }
  return boundary
}

/** The same for the values equal to the pivot; no value may be below it. */
function moveEqual(values: Float64Array, left: number, right: number, pivot: number): number {
  let boundary = left
  for (let i = left; i <= right; i++) {
    const x = values[i]!
    values[i] = values[boundary]!
    values[boundary] = x
    boundary += +(x === pivot)
  }
  return boundary
}
