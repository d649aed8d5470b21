/**
 * A quantile of a histogram, in s, by linear interpolation within its bucket, like Prometheus.
 *
 * @param bounds upper bounds, ascending; a quantile above the last one returns the last one
 * @param counts values in each bucket, and one more for those above the last bound
 * @returns undefined for an empty histogram
 * @example bucketQuantile([1, 2], [10, 10, 0], 0.75) // 1.5
 */
export function bucketQuantile(
  bounds: readonly number[],
  counts: readonly number[],
  share: number,
): number | undefined {
  const total = counts.reduce((sum, count) => sum + count, 0)
  if (total === 0) return undefined
  const rank = share * total
  let below = 0
  for (const [i, count] of counts.entries()) {
    const upper = bounds[i]
    if (upper === undefined) return bounds.at(-1)
    if (below + count >= rank && count > 0) {
      const lower = bounds[i - 1] ?? 0
      return lower + ((upper - lower) * (rank - below)) / count
    }
    below += count
  }
  return bounds.at(-1)
}
