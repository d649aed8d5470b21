/**
 * Mean and sample standard deviation in exact rational arithmetic, as a reference. It shares no method with the code
 * under test: it never rounds, and only decides on which side of a boundary the exact value is.
 */

const view = new DataView(new ArrayBuffer(8))

function toBits(x: number): bigint {
  view.setFloat64(0, x)
  return view.getBigUint64(0)
}

function fromBits(bits: bigint): number {
  view.setBigUint64(0, bits)
  return view.getFloat64(0)
}

/** The last bit of a finite double has the value 2^(scale - 1074); that of the smallest double has the scale 0. */
function scaleOf(x: number): number {
  view.setFloat64(0, x)
  return Math.max(0, ((view.getUint16(0) >> 4) & 0x7ff) - 1)
}

/** A finite double as a whole number of 2^(scale - 1074). @param scale that of the double, or less */
function toUnits(x: number, scale = 0): bigint {
  const bits = toBits(x)
  const isSubnormal = ((bits >> 52n) & 0x7ffn) === 0n
  const fraction = (bits & 0xfffffffffffffn) | (isSubnormal ? 0n : 0x10000000000000n)
  const magnitude = fraction << BigInt(scaleOf(x) - scale)
  return bits >> 63n === 1n ? -magnitude : magnitude
}

const maxScale = scaleOf(Number.MAX_VALUE)

/** The next larger double, in units; above the largest double, the next one with an unlimited exponent. */
function unitsAbove(x: number): bigint {
  if (x < 0) return -unitsBelowPositive(-x)
  if (x === Number.MAX_VALUE) return 2n * toUnits(x) - unitsBelowPositive(x)
  return toUnits(fromBits(toBits(Math.abs(x)) + 1n))
}

function unitsBelow(x: number): bigint {
  return -unitsAbove(-x)
}

function unitsBelowPositive(x: number): bigint {
  return toUnits(fromBits(toBits(x) - 1n))
}

/**
 * Whether a double is the nearest one to an exact value, ties to even.
 *
 * @param compare the sign of the exact value minus half of its argument, in units
 */
function isNearest(x: number, compare: (twice: bigint) => number): boolean {
  const units = toUnits(x)
  const isEven = (toBits(x) & 1n) === 0n
  const aboveLower = compare(units + unitsBelow(x))
  const belowUpper = -compare(units + unitsAbove(x))
  return (aboveLower > 0 || (aboveLower === 0 && isEven)) && (belowUpper > 0 || (belowUpper === 0 && isEven))
}

function sign(x: bigint): number {
  return x > 0n ? 1 : x < 0n ? -1 : 0
}

/** The exact mean and variance of some numbers, as fractions. */
export class ExactMoments {
  private readonly count: bigint
  private readonly sum: bigint
  /** n (n − 1) times the variance, in squared units. */
  private readonly spread: bigint

  constructor(numbers: Iterable<number>) {
    // The smallest one at which all numbers are whole: with the scale 0 they would have up to 2,098 bits each.
    let scale = maxScale
    for (const x of numbers) if (x !== 0) scale = Math.min(scale, scaleOf(x))
    let count = 0n
    let sum = 0n
    let squares = 0n
    for (const x of numbers) {
      const units = x === 0 ? 0n : toUnits(x, scale)
      count++
      sum += units
      squares += units * units
    }
    this.count = count
    this.sum = sum << BigInt(scale)
    this.spread = (count * squares - sum * sum) << BigInt(2 * scale)
  }

  isMean(x: number): boolean {
    return isNearest(x, (twice) => sign(2n * this.sum - twice * this.count))
  }

  isStandardDeviation(x: number): boolean {
    if (this.count === 1n) return Object.is(x, 0)
    const divisor = this.count * (this.count - 1n)
    if (x === Number.POSITIVE_INFINITY) {
      const limit = toUnits(Number.MAX_VALUE) + unitsAbove(Number.MAX_VALUE)
      return 4n * this.spread >= limit * limit * divisor
    }
    return isNearest(x, (twice) => (twice < 0n ? 1 : sign(4n * this.spread - twice * twice * divisor)))
  }
}
