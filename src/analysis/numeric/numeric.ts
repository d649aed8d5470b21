import { moments } from './moments.ts'
import { medianInPlace } from './selection.ts'

/** The statistics of a list of numbers, with the field names of the response. */
export interface NumericAnalysis {
  readonly count: number
  readonly minimum: number
  readonly maximum: number
  readonly mean: number
  readonly median: number
  readonly standard_deviation: number
}

/** Lists up to this length use one shared buffer, because allocating a new one costs more than copying. */
const bufferLength = 1024
const buffer = new Float64Array(bufferLength)

/** Up to this length, a loop copies faster than a call into the runtime. */
const loopMaxLength = 32

/**
 * Computes count, extremes, mean, median and standard deviation of a list of numbers.
 *
 * Every value is the double nearest to the exact one, for all magnitudes and without intermediate overflow: see
 * `moments` and `medianInPlace`. The standard deviation is that of a sample (n − 1), and 0 for one number. It is the only
 * value that can exceed the largest double (for 1.7e308 and −1.7e308); the result is then that double, because JSON has
 * no infinity. The result contains no negative zero. The list is not changed. Cost: O(n).
 *
 * @param numbers at least one; the caller has checked that all are finite
 * @throws RangeError if the list is empty
 * @example
 * analyzeNumbers([1, 2, 3, 4, 5])
 * // { count: 5, minimum: 1, maximum: 5, mean: 3, median: 3, standard_deviation: 1.5811388300841898 }
 */
export function analyzeNumbers(numbers: readonly number[] | Float64Array): NumericAnalysis {
  const count = numbers.length
  if (count === 0) throw new RangeError('Expected at least one number.')
  const values = copyNumbers(numbers)
  let minimum = values[0]!
  let maximum = minimum
  for (let i = 1; i < count; i++) {
    const x = values[i]!
    if (x < minimum) minimum = x
    else if (x > maximum) maximum = x
  }
  return analyzeValues(values, count, minimum, maximum)
}

/** Numbers that the analysis may reorder, with their minimum and maximum. */
export interface NumbersWithRange {
  readonly values: Float64Array
  readonly minimum: number
  readonly maximum: number
}

/**
 * The same analysis without a copy; reorders the values.
 *
 * @param numbers at least one value; the caller has checked that all are finite
 */
export function analyzeInPlace({ values, minimum, maximum }: NumbersWithRange): NumericAnalysis {
  return analyzeValues(values, values.length, minimum, maximum)
}

function analyzeValues(
  values: Float64Array,
  count: number,
  lowest: number,
  highest: number,
): NumericAnalysis {
  // Adding 0 turns -0 into 0 and changes nothing else.
  const minimum = lowest + 0
  const maximum = highest + 0
  if (minimum === maximum) {
    return { count, minimum, maximum, mean: minimum, median: minimum, standard_deviation: 0 }
  }

  const { mean, standardDeviation } = moments(values, count, minimum, maximum)
  return {
    count,
    minimum,
    maximum,
    mean: mean + 0,
    median: medianInPlace(values, count, minimum, maximum) + 0,
    standard_deviation: Math.min(standardDeviation, Number.MAX_VALUE),
  }
}

/** Copies the numbers into a typed array: the following loops see one kind of array and may reorder it. */
function copyNumbers(numbers: readonly number[] | Float64Array): Float64Array {
  if (numbers.length > bufferLength) return new Float64Array(numbers)
  if (numbers.length > loopMaxLength) buffer.set(numbers)
  else for (let i = 0; i < numbers.length; i++) buffer[i] = numbers[i]!
  return buffer
}
