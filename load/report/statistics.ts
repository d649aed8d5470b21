/** Response times of all answered requests, in seconds. */
export type TimeStatistics = {
  count: number
  min: number
  max: number
  avg: number
  median: number
  stdev: number
  p95: number
  p99: number
}

/**
 * The q-quantile of ascending values, by linear interpolation between neighbors (Hyndman and Fan's type 7, as in k6, R
 * and NumPy). NaN without values.
 *
 * @example quantileSorted([1, 2, 3, 4], 0.5) // 2.5
 */
export function quantileSorted(sorted: ArrayLike<number>, q: number): number {
  if (sorted.length === 0) return Number.NaN
  const position = (sorted.length - 1) * q
  const below = Math.floor(position)
  const low = sorted[below] ?? Number.NaN
  const high = sorted[Math.min(below + 1, sorted.length - 1)] ?? low
  return low + (high - low) * (position - below)
}

/**
 * Statistics in seconds of times in milliseconds; null without values. Uses the sample standard deviation, 0 for one
 * value.
 */
export function timeStatistics(milliseconds: Iterable<number>): TimeStatistics | null {
  const sorted = Float64Array.from(milliseconds).sort()
  const count = sorted.length
  if (count === 0) return null
  const avg = sorted.reduce((sum, value) => sum + value, 0) / count
  const squares = sorted.reduce((sum, value) => sum + (value - avg) ** 2, 0)
  const seconds = (value: number): number => value / 1_000
  return {
    count,
    min: seconds(sorted[0] ?? 0),
    max: seconds(sorted[count - 1] ?? 0),
    avg: seconds(avg),
    median: seconds(quantileSorted(sorted, 0.5)),
    stdev: count === 1 ? 0 : seconds(Math.sqrt(squares / (count - 1))),
    p95: seconds(quantileSorted(sorted, 0.95)),
    p99: seconds(quantileSorted(sorted, 0.99)),
  }
}
