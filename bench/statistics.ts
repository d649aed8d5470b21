/**
 * The smallest of the values that at least the given share of them does not exceed (nearest rank).
 *
 * @param share above 0, up to 1
 * @throws RangeError when there are no values
 * @example quantile([3, 1, 2], 0.5) // 2
 */
export function quantile(values: readonly number[], share: number): number {
  const value = Float64Array.from(values).sort()[Math.ceil(share * values.length) - 1]
  if (value === undefined) throw new RangeError('There is no quantile of no values.')
  return value
}

/** The middle of some values, and the range that the middle half of them keeps to. */
export interface Spread {
  readonly median: number
  readonly lowerQuartile: number
  readonly upperQuartile: number
}

/** @throws RangeError when there are no values */
export function spread(values: readonly number[]): Spread {
  return {
    median: quantile(values, 0.5),
    lowerQuartile: quantile(values, 0.25),
    upperQuartile: quantile(values, 0.75),
  }
}
