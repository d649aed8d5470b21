import { moments } from './moments.ts'
import { medianInPlace } from './selection.ts'

/** What is known of a list of numbers, named as the service answers it. */
export interface NumericAnalysis {
  readonly count: number
  readonly minimum: number
  readonly maximum: number
  readonly mean: number
  readonly median: number
  readonly standard_deviation: number
}

/** Lists up to this long are copied into a buffer that is there already; a new one costs more than the copying. */
const BUFFERED = 1024
const buffer = new Float64Array(BUFFERED)

/** Below this many, a loop copies faster than a call into the runtime. */
const LOOPED = 32

/**
 * Count, extremes, mean, median and standard deviation of a list of numbers.
 *
 * Every value is the double nearest to the exact one, whatever the magnitudes, without overflow on the way:
 * see `moments` and `medianInPlace` for how. The standard deviation is the sample one (n − 1), 0 for one number. It
 * alone can be beyond the largest double (for 1.7e308 and −1.7e308); it is then that double, for JSON has no
 * infinity. Zero is never negative in the result. The list is not changed. Cost: O(n).
 *
 * @param numbers at least one; finite all of them, which the caller has checked
 * @throws RangeError when there are none
 * @example
 * analyzeNumbers([1, 2, 3, 4, 5])
 * // { count: 5, minimum: 1, maximum: 5, mean: 3, median: 3, standard_deviation: 1.5811388300841898 }
 */
export function analyzeNumbers(numbers: readonly number[] | Float64Array): NumericAnalysis {
  const count = numbers.length
  if (count === 0) throw new RangeError('There is no analysis of no numbers.')
  const values = copyOf(numbers)
  let minimum = values[0]!
  let maximum = minimum
  for (let i = 1; i < count; i++) {
    const x = values[i]!
    if (x < minimum) minimum = x
    else if (x > maximum) maximum = x
  }
  return take(values, count, minimum, maximum)
}

/** NumbersWithRange side by side that are the taker's to reorder, and the least and greatest of them. */
export interface NumbersWithRange {
  readonly values: Float64Array
  readonly minimum: number
  readonly maximum: number
}

/**
 * The same of doubles that nobody needs any more: they are not copied but reordered.
 *
 * @param doubles at least one; finite all of them
 */
export function analyzeInPlace({ values, minimum, maximum }: NumbersWithRange): NumericAnalysis {
  return take(values, values.length, minimum, maximum)
}

function take(values: Float64Array, count: number, least: number, greatest: number): NumericAnalysis {
  // Adding 0 makes 0 of -0 and changes nothing else.
  const minimum = least + 0
  const maximum = greatest + 0
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

/** The numbers as doubles side by side: every loop after this sees one kind of array, and may reorder it. */
function copyOf(numbers: readonly number[] | Float64Array): Float64Array {
  if (numbers.length > BUFFERED) return new Float64Array(numbers)
  if (numbers.length > LOOPED) buffer.set(numbers)
  else for (let i = 0; i < numbers.length; i++) buffer[i] = numbers[i]!
  return buffer
}
