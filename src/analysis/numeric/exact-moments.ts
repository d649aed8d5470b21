import { roundRatio, roundRootOfRatio } from './round-ratio.ts'

/** Mean and sample standard deviation. */
export interface Moments {
  readonly mean: number
  readonly standardDeviation: number
}

/** Exponent fields a finite double can have: 0 for subnormals, 1 to 2046. */
const EXPONENTS = 2047

/** Significands are counted in digits of 18 bits, so that 53 bits are three digits. */
const DIGIT_BITS = 18
const DIGIT = 2 ** DIGIT_BITS

/** Columns of a row: three digits for the sum of the significands, six for the sum of their squares. */
const WIDTH = 9
const SQUARES = 3

/**
 * Numbers added before the columns of squares hand on their carries: a column takes at most 2^37 a number, and
 * a double counts exactly to 2^53. The columns of the sum take 2^18 a number and never need to.
 */
const CARRY_EVERY = 2 ** 15

/** The exponent of the last place of the smallest double. */
const LEAST_EXPONENT = -1074

/** One row an exponent. All zeros between calls. */
const rows = new Float64Array(EXPONENTS * WIDTH)

/** A double seen as its two words. Every platform that Bun runs on is little-endian: the upper word is second. */
const double = new Float64Array(1)
const words = new Uint32Array(double.buffer)

/**
 * Mean and sample standard deviation of the first `count` values, correctly rounded whatever they are: exact
 * sums S₁ of the numbers and S₂ of their squares as big integers, (n S₂ − S₁²) / (n (n − 1)), rounded once.
 *
 * The sums are kept by exponent, one row each, significands as digits in base 2^18: a number costs eight
 * additions of doubles, all of them exact (the idea of R. M. Neal, Fast exact summation using small and large
 * superaccumulators, 2015). Big integers appear only at the end, once a row. Cost: O(n) for any mixture of
 * magnitudes, and at most 2047 rows. A standard deviation above the largest double gives Infinity.
 *
 * @param count at least 2, and finite numbers only
 * @example exactMoments(Float64Array.of(1e308, -1e308, 1e-308), 3).mean // 3.333333333333333e-309
 */
export function exactMoments(values: Float64Array, count: number): Moments {
  let lowest = EXPONENTS
  let highest = -1
  for (let i = 0; i < count; i++) {
    const exponent = addNumber(values[i]!)
    if (exponent !== -1) {
      lowest = Math.min(lowest, exponent)
      highest = Math.max(highest, exponent)
    }
    if (i % CARRY_EVERY === CARRY_EVERY - 1) carrySquares(lowest, highest)
  }
  if (highest === -1) return { mean: 0, standardDeviation: 0 }

  const sum = total(lowest, highest, 0, SQUARES, 1)
  const squares = total(lowest, highest, SQUARES, WIDTH, 2)
  rows.fill(0, lowest * WIDTH, (highest + 1) * WIDTH)

  const n = BigInt(count)
  const exponent = LEAST_EXPONENT + Math.max(lowest, 1) - 1
  return {
    mean: roundRatio(sum, n, exponent),
    standardDeviation: roundRootOfRatio(n * squares - sum * sum, n * (n - 1n), exponent),
  }
}

/** Adds a number to the row of its exponent, and gives the row; -1 for zero, which needs none. */
function addNumber(x: number): number {
  if (x === 0) return -1
  double[0] = x
  const lower = words[0]!
  const upper = words[1]!
  const exponent = (upper >>> 20) & 0x7ff
  const leading = (upper & 0xfffff) | (exponent === 0 ? 0 : 0x100000)
  const a = leading >>> 4
  const b = ((leading & 15) << 14) | (lower >>> 18)
  const c = lower & 0x3ffff
  const sign = x < 0 ? -1 : 1
  const row = exponent * WIDTH
  rows[row]! += sign * c
  rows[row + 1]! += sign * b
  rows[row + 2]! += sign * a
  rows[row + 3]! += c * c
  rows[row + 4]! += 2 * b * c
  rows[row + 5]! += 2 * a * c + b * b
  rows[row + 6]! += 2 * a * b
  rows[row + 7]! += a * a
  return exponent
}

/** Hands on what a column holds beyond its digit, so that the next `CARRY_EVERY` numbers find room. */
function carrySquares(lowest: number, highest: number): void {
  for (let row = lowest; row <= highest; row++) {
    const end = (row + 1) * WIDTH - 1
    for (let column = row * WIDTH + SQUARES; column < end; column++) {
      const carry = Math.floor(rows[column]! / DIGIT)
      rows[column]! -= carry * DIGIT
      rows[column + 1]! += carry
    }
  }
}

/**
 * Columns `from..to` of the rows as one integer, in units of the lowest row. Each row weighs 2^power times the
 * row below it; only row 1, the smallest normal doubles, weighs the same as row 0, the subnormals.
 */
function total(lowest: number, highest: number, from: number, to: number, power: number): bigint {
  let sum = 0n
  for (let row = highest; row >= lowest; row--) {
    if (row !== 0) sum <<= BigInt(power)
    let digits = 0n
    for (let column = to - 1; column >= from; column--) {
      digits = (digits << BigInt(DIGIT_BITS)) + BigInt(rows[row * WIDTH + column]!)
    }
    sum += digits
  }
  return sum
}
