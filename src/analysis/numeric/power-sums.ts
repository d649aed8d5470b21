import { splitter, sumError } from './error-free.ts'

/**
 * Numbers per block. The low parts of a block are summed in plain doubles, so their rounding error grows with the
 * block:
 * 1024 keeps it below 2^-67 of the sum, and the block within the first-level cache.
 */
const blockLength = 1024

/** A block's rounded deviations from the shift; their rounding errors go into the low part of the squares. */
const deviations = new Float64Array(blockLength)

/**
 * The sum of numbers and the sum of their squares, as double-doubles, with bounds on their errors.
 *
 * Cascaded summation as Sum2 of Ogita, Rump & Oishi (Accurate sum and dot product, SIAM J. Sci. Comput. 26,
 * 2005), in blocks. Within a block each accumulator starts from an offset that always exceeds what is added, so
 * Dekker's FastTwoSum (three operations) is exact where Knuth's TwoSum needs six; subtracting the offset again is
 * exact too. A square is split as x² = a² + (x − a)(x + a), where `a` is the upper half of x, so a² is exact and the
 * rest is at most 2^-25 of it.
 */
export class PowerSums {
  sumHigh = 0
  sumLow = 0
  squaresHigh = 0
  squaresLow = 0
  /** The largest possible distance of `sumHigh + sumLow` from the exact sum. */
  readonly sumErrorBound: number

  /**
   * With m the longest block, B the number of blocks, n the count, u = 2^-53 and M = `largest`:
   * the low parts of a block's sum are below 5.01 m u M each, so adding them up errs by less than 6 m³ u² M;
   * adding up the blocks errs by less than 2 u² (B² n + 20 n²) M. Together less than 32 u² n (m² + B²) M.
   */
  constructor(
    private readonly count: number,
    private readonly largest: number,
  ) {
    const longest = Math.min(count, blockLength)
    const blocks = Math.ceil(count / blockLength)
    this.sumErrorBound = 2 ** -101 * count * (longest * longest + blocks * blocks) * largest
  }

  /**
   * The largest possible distance of `squaresHigh + squaresLow` from the exact sum of squares S. The low parts of a
   * block are below 2^-25 of its squares, so adding them up errs by less than (m + 4) 2^-78 S; adding up the blocks by
   * less than 4 B² u² S. The factor of two leaves room for the error of a shift (see `shiftedPowerSums`).
   */
  get squaresErrorBound(): number {
    const longest = Math.min(this.count, blockLength)
    const blocks = Math.ceil(this.count / blockLength)
    return ((longest + 16) * 2 ** -77 + blocks * blocks * 2 ** -103) * this.squaresHigh
  }

  /** Adds `source[start..end) * scale`, whose magnitudes are at most `largest`, and `lowSquares` to their squares. */
  addBlock(source: Float64Array, start: number, end: number, scale: number, lowSquares: number): void {
    const sumOffset = 4 * (end - start) * this.largest
    const squaresOffset = 2 * this.largest * this.largest
    let sum = sumOffset
    let sumLow = 0
    let squares = squaresOffset
    let squaresLow = lowSquares
    for (let i = start; i < end; i++) {
      const x = source[i]! * scale
      const nextSum = sum + x
      sumLow += x - (nextSum - sum)
      sum = nextSum

      const scaled = splitter * x
      const upper = scaled - (scaled - x)
      const square = upper * upper
      const nextSquares = squares + square
      squaresLow += square - (nextSquares - squares) + (x - upper) * (x + upper)
      squares = nextSquares
    }
    this.addToSum(sum - sumOffset, sumLow)
    const squaresOfBlock = squares - squaresOffset
    this.addToSquares(squaresOfBlock, squaresLow + sumError(squares, -squaresOffset, squaresOfBlock))
  }

  private addToSum(high: number, low: number): void {
    const block = high + low
    const total = this.sumHigh + block
    this.sumLow += sumError(this.sumHigh, block, total) + sumError(high, low, block)
    this.sumHigh = total
  }

  private addToSquares(high: number, low: number): void {
    const block = high + low
    const total = this.squaresHigh + block
    this.squaresLow += sumError(this.squaresHigh, block, total) + sumError(high, low, block)
    this.squaresHigh = total
  }

  /** Makes each low part less than half a unit in the last place of its high part. */
  normalize(): void {
    const sum = this.sumHigh + this.sumLow
    this.sumLow = sumError(this.sumHigh, this.sumLow, sum)
    this.sumHigh = sum
    const squares = this.squaresHigh + this.squaresLow
    this.squaresLow = sumError(this.squaresHigh, this.squaresLow, squares)
    this.squaresHigh = squares
  }
}

/**
 * The sums of `x * scale` and of its square over the first `count` values, in one pass.
 *
 * @param scale a power of two that brings the largest magnitude between 2^-400 and 2^400
 * @param largest the largest magnitude after scaling
 */
export function powerSums(values: Float64Array, count: number, scale: number, largest: number): PowerSums {
  const sums = new PowerSums(count, largest)
  for (let start = 0; start < count; start += blockLength) {
    sums.addBlock(values, start, Math.min(count, start + blockLength), scale, 0)
  }
  sums.normalize()
  return sums
}

/**
 * The same sums of `x * scale - shift`. A shift near the mean avoids cancellation in the squares when the spread is
 * small
 * compared with the mean (Chan, Golub & LeVeque, Algorithms for computing the sample variance, The American
 * Statistician 37, 1983).
 *
 * A difference is exact unless x and the shift are a factor of two apart. Otherwise its rounding error e adds
 * 2 (x − shift) e to the squares. The sum omits e: the variance uses the sum of the deviations only multiplied by the
 * distance between shift and mean, which is below u times the mean, so all e together contribute less than 4 u² S.
 * Hence the shift must be the rounded mean, and the sum is valid only for the variance.
 *
 * @param largest the largest magnitude of a rounded difference `x * scale - shift`
 */
export function shiftedPowerSums(
  values: Float64Array,
  count: number,
  scale: number,
  shift: number,
  largest: number,
): PowerSums {
  const sums = new PowerSums(count, largest)
  for (let start = 0; start < count; start += blockLength) {
    const length = Math.min(blockLength, count - start)
    let lowSquares = 0
    for (let i = 0; i < length; i++) {
      const x = values[start + i]! * scale
      const deviation = x - shift
      deviations[i] = deviation
      lowSquares += 2 * deviation * sumError(x, -shift, deviation)
    }
    sums.addBlock(deviations, 0, length, 1, lowSquares)
  }
  sums.normalize()
  return sums
}
