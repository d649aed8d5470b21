/**
 * All benchmark numbers are whole multiples of this. As BigInt integers they give the correct mean and standard
 * deviation without intermediate rounding, and independently of Tally's algorithm.
 */
const grid = 2 ** -29

/** Extra bits of a quotient or root before it is rounded to the 53 bits of a double. */
const guardBits = 120n

/**
 * Mean and sample standard deviation, correctly rounded: S₁ / n and √((n S₂ − S₁²) / (n (n − 1))) in integers.
 *
 * @throws RangeError for a number that is not a multiple of 2^-29 below 2^24.
 * @example exactMoments([1, 2, 3, 4, 5]) // { mean: 3, standardDeviation: 1.5811388300841898 }
 */
export function exactMoments(numbers: readonly number[]): { mean: number; standardDeviation: number } {
  let sum = 0n
  let squares = 0n
  for (const x of numbers) {
    const units = x / grid
    if (!Number.isSafeInteger(units)) throw new RangeError(`${x} is not on the grid`)
    sum += BigInt(units)
    squares += BigInt(units) * BigInt(units)
  }
  const n = BigInt(numbers.length)
  const mean = divide(sum, n)
  const variance = n === 1n ? 0n : ((n * squares - sum * sum) << (2n * guardBits)) / (n * (n - 1n))
  return { mean: toDouble(mean), standardDeviation: toDouble(squareRoot(variance)) }
}

function divide(dividend: bigint, divisor: bigint): bigint {
  return (dividend << guardBits) / divisor
}

/** Truncates below the guard bits. This affects the rounding only if a result is within 2^-60 of halfway. */
function toDouble(units: bigint): number {
  return (Number(units) / 2 ** Number(guardBits)) * grid
}

/** Newton's method from above: the largest integer whose square is not greater. */
function squareRoot(value: bigint): bigint {
  if (value < 2n) return value
  let root = 1n << BigInt(Math.ceil(value.toString(2).length / 2))
  for (;;) {
    const next = (root + value / root) >> 1n
    if (next >= root) return root
    root = next
  }
}
