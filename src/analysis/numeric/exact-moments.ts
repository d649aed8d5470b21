import { roundRatio, roundRootOfRatio } from './round-ratio.ts'

/** Mean and sample standard deviation. */
export interface Moments {
  readonly mean: number
  readonly standardDeviation: number
}

/** Number of exponent fields of finite doubles: 0 for subnormals, 1 to 2046. */
const exponentCount = 2047

/** Significands are split into digits of 18 bits, so that 53 bits are three digits. */
const digitBits = 18
const digitBase = 2 ** digitBits

/** Columns of a row: three digits for the sum of the significands, then six for the sum of their squares. */
const rowWidth = 9
const squaresColumn = 3

/**
 * Numbers added between two carries of the columns of squares: a number adds at most 2^37 to a column, and doubles are
 * exact integers up to 2^53. The columns of the sum grow by at most 2^18 per number and need no carry.
 */
const carryInterval = 2 ** 15

/** The exponent of the last place of the smallest double. */
const minExponent = -1074

/** One row for each exponent. All zeros between calls. */
const rows = new Float64Array(exponentCount * rowWidth)

/** The two words of a double. Every platform that Bun runs on is little-endian: the upper word comes second. */
const double = new Float64Array(1)
const words = new Uint32Array(double.buffer)

/**
 * Mean and sample standard deviation of the first `count` values, correctly rounded for every input: the sum S₁ of
 * the numbers and the sum S₂ of their squares are exact big integers, and (n S₂ − S₁²) / (n (n − 1)) is rounded once.
 *
 * The sums have one row per exponent, with significands as digits in base 2^18. A number costs eight exact additions of
 * doubles (after R. M. Neal, Fast exact summation using small and large superaccumulators, 2015). Big integers appear
 * only at the end, once per row. Cost: O(n) for any mixture of magnitudes, plus at most 2047 rows. A standard deviation
 * above the largest double becomes Infinity.
 *
 * @param count at least 2, and finite numbers only
 * @example exactMoments(Float64Array.of(1e308, -1e308, 1e-308), 3).mean // 3.333333333333333e-309
 */
export function exactMoments(values: Float64Array, count: number): Moments {
  let lowest = exponentCount
  let highest = -1
  for (let i = 0; i < count; i++) {
    const exponent = addNumber(values[i]!)
    if (exponent !== -1) {
      lowest = Math.min(lowest, exponent)
      highest = Math.max(highest, exponent)
    }
    if (i % carryInterval === carryInterval - 1) carrySquares(lowest, highest)
  }
  if (highest === -1) return { mean: 0, standardDeviation: 0 }

  const sum = sumColumns(lowest, highest, 0, squaresColumn, 1)
  const squares = sumColumns(lowest, highest, squaresColumn, rowWidth, 2)
  rows.fill(0, lowest * rowWidth, (highest + 1) * rowWidth)

  const n = BigInt(count)
  const exponent = minExponent + Math.max(lowest, 1) - 1
  return {
    mean: roundRatio(sum, n, exponent),
    standardDeviation: roundRootOfRatio(n * squares - sum * sum, n * (n - 1n), exponent),
  }
}

/** Adds a number to the row of its exponent and returns the row; -1 for zero, which has no row. */
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
  const row = exponent * rowWidth
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

/** Carries the excess of each column to the next one, so that the next `carryInterval` numbers fit. */
function carrySquares(lowest: number, highest: number): void {
  for (let row = lowest; row <= highest; row++) {
    const end = (row + 1) * rowWidth - 1
    for (let column = row * rowWidth + squaresColumn; column < end; column++) {
      const carry = Math.floor(rows[column]! / digitBase)
      rows[column]! -= carry * digitBase
      rows[column + 1]! += carry
    }
  }
}

/**
 * Sums the columns `from..to` of the rows, in units of the lowest row. Each row weighs 2^power times the row below it,
 * except row 1, the smallest normal doubles, which weighs the same as row 0, the subnormals.
 */
function sumColumns(lowest: number, highest: number, from: number, to: number, power: number): bigint {
  let sum = 0n
  for (let row = highest; row >= lowest; row--) {
    if (row !== 0) sum <<= BigInt(power)
    let digits = 0n
    for (let column = to - 1; column >= from; column--) {
      digits = (digits << BigInt(digitBits)) + BigInt(rows[row * rowWidth + column]!)
    }
    sum += digits
  }
  return sum
}
