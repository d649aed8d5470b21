import { productError, sumError } from './error-free.ts'
import { exactMoments, type Moments } from './exact-moments.ts'
import { type PowerSums, powerSums, shiftedPowerSums } from './power-sums.ts'

/** Between these magnitudes, squares and their low parts neither overflow nor lose bits below 2^-1074. */
const minMagnitude = 2 ** -400
const maxMagnitude = 2 ** 400

/** Factors that bring all other doubles between these magnitudes. Powers of two, so scaling is exact both ways. */
const scaleUp = 2 ** 700
const scaleDown = 2 ** -700

/** A scaled-up result below this may become subnormal when scaled back, which would round it twice. */
const minScaledUp = 2 ** -300

/** Bound on the relative error of the double-double operations from the sums to a result: fewer than ten of 2^-106. */
const arithmeticError = 2 ** -100

/**
 * Mean and sample standard deviation (n − 1), each the double nearest to the exact value.
 *
 * Uses sums in double-double with proven error bounds (`PowerSums`) and Ziv's rounding test (Fast evaluation of
 * elementary mathematical functions with correctly rounded last bit, ACM TOMS 17, 1991): a result is accepted only if
 * every value within its error bound rounds to the same double. If not (cancellation, or a value nearly halfway between
 * two doubles), sums the deviations from the mean. If that is still not accurate enough, uses exact arithmetic. So the
 * result does not depend on the method.
 *
 * Cost: one pass of about 20 operations per number; a second one if the spread is small compared with the mean.
 *
 * @param count at least 2; the values must not be all equal
 * @param minimum the smallest value
 * @param maximum the largest value
 * @example moments(Float64Array.of(1, 2, 3, 4, 5), 5, 1, 5) // { mean: 3, standardDeviation: 1.5811388300841898 }
 */
export function moments(values: Float64Array, count: number, minimum: number, maximum: number): Moments {
  const magnitude = Math.max(-minimum, maximum)
  const scale = magnitude > maxMagnitude ? scaleDown : magnitude < minMagnitude ? scaleUp : 1
  const sums = powerSums(values, count, scale, magnitude * scale)

  const mean = roundMean(sums, count)
  if (Number.isNaN(mean)) return exactMoments(values, count)

  let deviation = roundDeviation(sums, count)
  if (Number.isNaN(deviation)) {
    const reach = Math.max(maximum * scale - mean, mean - minimum * scale)
    deviation = roundDeviation(shiftedPowerSums(values, count, scale, mean, reach), count)
  }
  if (Number.isNaN(deviation) || !canScaleBack(mean, scale) || !canScaleBack(deviation, scale)) {
    return exactMoments(values, count)
  }
  return { mean: mean / scale, standardDeviation: deviation / scale }
}

/** The rounded mean, or NaN if the sums are not accurate enough to decide. */
function roundMean(sums: PowerSums, count: number): number {
  const high = sums.sumHigh / count
  const low = quotientError(sums.sumHigh, sums.sumLow, count, high)
  return roundIfCertain(high, low, sums.sumErrorBound / count + arithmeticError * Math.abs(high))
}

/**
 * The rounded sample standard deviation, or NaN if the sums are not accurate enough to decide:
 * sqrt((Σx² − Σx · Σx / n) / (n − 1)), in double-double.
 */
function roundDeviation(sums: PowerSums, count: number): number {
  const { sumHigh, sumLow, squaresHigh, squaresLow } = sums
  const meanHigh = sumHigh / count
  const meanLow = quotientError(sumHigh, sumLow, count, meanHigh)
  const product = sumHigh * meanHigh
  const productLow = productError(sumHigh, meanHigh, product) + sumHigh * meanLow + sumLow * meanHigh
  const difference = squaresHigh - product
  const rest = sumError(squaresHigh, -product, difference) + squaresLow - productLow
  const high = difference + rest
  const low = sumError(difference, rest, high)
  const error = sums.squaresErrorBound + 4 * Math.abs(meanHigh) * sums.sumErrorBound
  // Fewer than 50 good bits cannot decide the rounding (and a negative difference has no root).
  if (high < error * 2 ** 50) return Number.NaN

  const divisor = count - 1
  const varianceHigh = high / divisor
  const varianceLow = quotientError(high, low, divisor, varianceHigh)
  const root = Math.sqrt(varianceHigh)
  const square = root * root
  // One step of Newton's method: the rest of the variance divided by twice the root.
  const rootLow = (varianceHigh - square - productError(root, root, square) + varianceLow) / (2 * root)
  return roundIfCertain(root, rootLow, root * (error / high + arithmeticError))
}

/** `(high + low) / divisor - quotient`, for a quotient that is `high / divisor` rounded. */
function quotientError(high: number, low: number, divisor: number, quotient: number): number {
  const product = quotient * divisor
  return (high - product - productError(quotient, divisor, product) + low) / divisor
}

/** Ziv's test: `high + low` rounded, if every value within `error` of it rounds to the same double; else NaN. */
function roundIfCertain(high: number, low: number, error: number): number {
  const rounded = high + (low - error)
  return rounded === high + (low + error) ? rounded : Number.NaN
}

/** Whether scaling a result back is exact. */
function canScaleBack(scaled: number, scale: number): boolean {
  return scale !== scaleUp || Math.abs(scaled) >= minScaledUp
}
