/**
 * Error-free transformations compute the exact rounding error of a floating-point operation. They allow numbers as
 * "double-doubles", `high + low`, with `low` below half a unit in the last place of `high` (about 106 bits).
 */

/**
 * The rounding error of `sum = a + b`: `a + b` is exactly `sum + sumError(a, b, sum)`.
 *
 * Knuth's TwoSum (The Art of Computer Programming 2, 4.2.2, theorem B): six operations, no branch, and the
 * order of magnitude of `a` and `b` does not matter. Exact also for subnormals; not when the sum overflows.
 *
 * @example sumError(1e16, 1, 1e16 + 1) // 1: the double nearest to 1e16 + 1 is 1e16
 */
export function sumError(a: number, b: number, sum: number): number {
  const partOfB = sum - a
  return a - (sum - partOfB) + (b - partOfB)
}

/** 2^27 + 1. Multiplying by it splits 53 bits into 26 and 26 (Dekker 1971, after Veltkamp). */
export const splitter = 134217729

/**
 * The rounding error of `product = a * b`: `a * b` is exactly `product + productError(a, b, product)`.
 *
 * Dekker's TwoProduct (A floating-point technique for extending the available precision, 1971): 16 operations,
 * because JavaScript has no fused multiply-add. Exact while no factor is above 2^996 and the product is above
 * 2^-969; callers scale by a power of two first.
 *
 * @example productError(0.1, 10, 0.1 * 10) // 2^-54: the double 0.1 is a little more than a tenth
 */
export function productError(a: number, b: number, product: number): number {
  const scaledA = splitter * a
  const highA = scaledA - (scaledA - a)
  const lowA = a - highA
  const scaledB = splitter * b
  const highB = scaledB - (scaledB - b)
  const lowB = b - highB
  return lowA * lowB - (product - highA * highB - lowA * highB - highA * lowB)
}
