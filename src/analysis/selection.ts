/** Up to here a copy in the scratch buffer is selected from directly. */
const SCRATCH = 1024
const scratch = new Float64Array(SCRATCH)

/** Above this many numbers Floyd and Rivest first select within a sample (their choice, found by experiment). */
const SAMPLE_ABOVE = 600

/** Work that selection may do, as a multiple of the numbers it was given; it needs about 1.5 on random order. */
const WORK_MAX = 8

/** How far the brackets lie from the middle of the sample, in standard deviations of the sample median's rank. */
const BRACKET_DEVIATIONS = 4

/**
 * The median of the first `count` values, which are left as they are. For an even count the mean of the two
 * in the middle, rounded once and without overflow.
 *
 * Selection, not sorting. More than 1024 numbers are first narrowed down to the few between two brackets taken
 * from a random sample; what is left is selected from by Floyd & Rivest's SELECT. Cost: O(n), about 2 ns a
 * number at a million. An order made to defeat either step costs one sort, O(n log n), and no more.
 *
 * @param count at least 1; no NaN among the values
 * @example medianOf(Float64Array.of(4, 1, 3, 2), 4) // 2.5
 */
export function medianOf(values: Float64Array, count: number): number {
  if (count <= SCRATCH) {
    for (let i = 0; i < count; i++) scratch[i] = values[i]!
    return takeMedian(scratch, count, count >> 1, count % 2 === 0)
  }
  const bracketed = medianWithinBrackets(values, count)
  if (bracketed !== undefined) return bracketed
  return takeMedian(values.slice(0, count), count, count >> 1, count % 2 === 0)
}

/**
 * One level of sampling as in Floyd & Rivest (Expected time bounds for selection, CACM 18, 1975): with high
 * probability the median lies between two elements of a sample close to the sample's own median, and few other
 * numbers do. A single pass copies those and counts the ones below, without a branch that depends on the data:
 * partitioning in place mispredicts every other comparison and takes three times as long.
 *
 * @returns undefined when the brackets missed the median, or hold too many numbers for the buffer
 */
function medianWithinBrackets(values: Float64Array, count: number): number | undefined {
  const sampleSize = Math.ceil((2 * count) ** (2 / 3))
  const sample = new Float64Array(sampleSize)
  // Marsaglia's xorshift32: the sample must not follow a period in the data, but the answer must not vary.
  let random = 2463534242
  for (let i = 0; i < sampleSize; i++) {
    random ^= random << 13
    random ^= random >>> 17
    random ^= random << 5
    sample[i] = values[(random >>> 0) % count]!
  }
  const margin = Math.ceil((BRACKET_DEVIATIONS / 2) * Math.sqrt(sampleSize))
  const middle = sampleSize >> 1
  select(sample, 0, sampleSize - 1, middle - margin)
  select(sample, middle - margin, sampleSize - 1, middle + margin)
  const low = sample[middle - margin]!
  const high = sample[middle + margin]!

  // Twice what is expected between the brackets. A power of two: the index wraps instead of being checked.
  const capacity = 2 ** Math.ceil(Math.log2((4 * margin * count) / sampleSize))
  const inside = new Float64Array(capacity)
  let below = 0
  let taken = 0
  for (let i = 0; i < count; i++) {
    const x = values[i]!
    below += +(x < low)
    inside[taken & (capacity - 1)] = x
    taken += +(x >= low) & +(x <= high)
  }

  const upper = (count >> 1) - below
  const isEven = count % 2 === 0
  if (upper - +isEven < 0 || upper >= taken) return undefined
  if (low === high) return low
  if (taken > capacity) return undefined
  return takeMedian(inside, taken, upper, isEven)
}

/** The element of rank `upper` among `count`, or its mean with the one before it. Reorders the values. */
function takeMedian(values: Float64Array, count: number, upper: number, isEven: boolean): number {
  select(values, 0, count - 1, upper)
  const above = values[upper]!
  if (!isEven) return above
  let below = values[0]!
  for (let i = 1; i < upper; i++) {
    if (values[i]! > below) below = values[i]!
  }
  const sum = below + above
  // Halving is exact unless the result is subnormal, and then the sum was: rounded once either way.
  return Number.isFinite(sum) ? sum / 2 : below / 2 + above / 2
}

/**
 * Puts the element of the given rank in its place within `left..right`, nothing greater before it and nothing
 * less behind it: algorithm 489 of Floyd & Rivest (The algorithm SELECT, CACM 18, 1975), quickselect with
 * pivots from a sample. An order that keeps it from making progress is sorted instead.
 */
function select(values: Float64Array, left: number, right: number, rank: number): void {
  let work = WORK_MAX * (right - left + 1)
  while (right > left) {
    const count = right - left + 1
    work -= count
    if (work < 0) {
      values.subarray(left, right + 1).sort()
      return
    }
    if (count > SAMPLE_ABOVE) selectInSample(values, left, right, rank)

    const pivot = values[rank]!
    let i = left
    let j = right
    values[rank] = values[left]!
    values[left] = pivot
    if (values[right]! > pivot) {
      values[left] = values[right]!
      values[right] = pivot
    }
    while (i < j) {
      const swapped = values[i]!
      values[i] = values[j]!
      values[j] = swapped
      i++
      j--
      while (values[i]! < pivot) i++
      while (values[j]! > pivot) j--
    }
    if (values[left] === pivot) {
      values[left] = values[j]!
      values[j] = pivot
    } else {
      j++
      values[right] = values[j]!
      values[j] = pivot
    }
    if (j <= rank) left = j + 1
    if (rank <= j) right = j - 1
  }
}

/** Selects within a small part around `rank`, so that the element there is a pivot close to the one wanted. */
function selectInSample(values: Float64Array, left: number, right: number, rank: number): void {
  const count = right - left + 1
  const position = rank - left + 1
  const logarithm = Math.log(count)
  const size = 0.5 * Math.exp((2 * logarithm) / 3)
  const sign = position < count / 2 ? -1 : 1
  const margin = 0.5 * Math.sqrt((logarithm * size * (count - size)) / count) * sign
  const from = Math.max(left, Math.floor(rank - (position * size) / count + margin))
  const to = Math.min(right, Math.floor(rank + ((count - position) * size) / count + margin))
  select(values, from, to, rank)
}
