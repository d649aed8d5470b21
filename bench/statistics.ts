/**
 * The smallest value that is greater than or equal to the given share of all values (nearest rank).
 *
 * @param share above 0, up to 1
 * @throws RangeError when `values` is empty
 * @example quantile([3, 1, 2], 0.5) // 2
 */
export function quantile(values: readonly number[], share: number): number {
  const value = Float64Array.from(values).sort()[Math.ceil(share * values.length) - 1]
  if (value === undefined) throw new RangeError('expected at least one value')
  return value
}

/** The median and the quartiles of some values. */
export interface Spread {
  readonly median: number
  readonly lowerQuartile: number
  readonly upperQuartile: number
}

/** @throws RangeError when `values` is empty */
export function spread(values: readonly number[]): Spread {
  return {
    median: quantile(values, 0.5),
    lowerQuartile: quantile(values, 0.25),
    upperQuartile: quantile(values, 0.75),
  }
}
