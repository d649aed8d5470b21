// The inner loop of scan-numbers.ts in AssemblyScript: converts a JSON list of numbers to the nearest doubles.
// `bun run scanner` compiles it to number-scanner.wasm. It allocates nothing; the caller lays out the memory.

/** Where scanning ended: the first byte that was not consumed. */
export let at: usize = 0
/** The address after the last written double. */
export let written: usize = 0
/** The minimum and maximum of the written doubles. */
export let minimum: f64 = 0
export let maximum: f64 = 0

/** The results of `scan`; scan-numbers.ts has the same constants. */
const END_OF_WINDOW = 0
const END_OF_LIST = 1
const NOT_PLAIN = 2
const NOT_JSON = 3

/** From this value on, the digits are split into two doubles before the division. */
const CORRECTED_FROM: u64 = 1 << 49

/** 2^27 + 1: splits 53 bits into 26 and 26 (Dekker 1971, after Veltkamp). */
const SPLITTER: f64 = 134217729

/** 10^0 to 10^8. */
const TENS: usize = memory.data<u64>([1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000])

/** The powers of ten that doubles represent exactly, 10^0 to 10^22. */
const POWERS: usize = memory.data<f64>([
  1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
  1e21, 1e22,
])
const INVERSES: usize = memory.data<f64>([
  1, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-11, 1e-12, 1e-13, 1e-14, 1e-15, 1e-16, 1e-17,
  1e-18, 1e-19, 1e-20, 1e-21, 1e-22,
])

/** The upper 64 bits of 10^-0 to 10^-22, truncated: 10^-s is between this and this plus one, times 2^-n. */
const RECIPROCALS: usize = memory.data<u64>([
  0x8000000000000000, 0xcccccccccccccccc, 0xa3d70a3d70a3d70a, 0x83126e978d4fdf3b, 0xd1b71758e219652b,
  0xa7c5ac471b478423, 0x8637bd05af6c69b5, 0xd6bf94d5e57a42bc, 0xabcc77118461cefc, 0x89705f4136b4a597,
  0xdbe6fecebdedd5be, 0xafebff0bcb24aafe, 0x8cbccc096f5088cb, 0xe12e13424bb40e13, 0xb424dc35095cd80f,
  0x901d7cf73ab0acd9, 0xe69594bec44de15b, 0xb877aa3236a4b449, 0x9392ee8e921d5d07, 0xec1e4a7db69561a5,
  0xbce5086492111aea, 0x971da05074da7bee, 0xf1c90080baf72cb1,
])
/** The n of each reciprocal. */
const SHIFTS: usize = memory.data<u64>([
  63, 67, 70, 73, 77, 80, 83, 87, 90, 93, 97, 100, 103, 107, 110, 113, 117, 120, 123, 127, 130, 133, 137,
])

// @ts-ignore: only AssemblyScript has decorators on functions
@inline
function power(exponent: usize): f64 {
  return load<f64>(POWERS + (exponent << 3))
}

// @ts-ignore: decorator
@inline
function tens(exponent: usize): u64 {
  return load<u64>(TENS + (exponent << 3))
}

/** One bit per byte of sixteen, set if the byte is not a digit. */
// @ts-ignore: decorator
@inline
function nonDigits(i: usize): u32 {
  return i8x16.bitmask(i8x16.gt_u(i8x16.sub(v128.load(i), i8x16.splat(0x30)), i8x16.splat(9)))
}

/**
 * The value of up to eight digits. Moves them to the end of a word of eight digits, after zeros, and adds them up in
 * pairs, fours and eight (D. Lemire, Quickly parsing eight digits, 2022).
 */
// @ts-ignore: decorator
@inline
function valueOf(i: usize, count: usize): u64 {
  // In two steps, because a shift by 64 would be a shift by 0.
  const half = <u64>(32 - (count << 2))
  let v = ((load<u64>(i) ^ 0x3030303030303030) << half) << half
  v = v * 10 + (v >> 8)
  return ((v & 0x000000ff000000ff) * 0x000f424000000064 + ((v >> 16) & 0x000000ff000000ff) * 0x0000271000000001) >> 32
}

// @ts-ignore: decorator
@inline
function isSpace(c: u32): bool {
  return c == 0x20 || c == 0x0a || c == 0x0d || c == 0x09
}

// @ts-ignore: decorator
@inline
function isDigit(c: u32): bool {
  return c - 0x30 <= 9
}

/**
 * `digits / 10^scale` rounded to the nearest double, or NaN if that is not certain. Uses floating point with 106 bits, for
 * the numbers that `scaled` cannot decide.
 *
 * Below 2^49, both the digits and the power are exact doubles, and a quotient of doubles is correctly rounded (W. Clinger,
 * How to read floating point numbers accurately, 1990). Above, the digits are `high + low`, and the quotient x of `high`
 * is corrected by (high − x · power + low) / power. Its remainder is exact, because the remainder of a rounded quotient is
 * a double (T. J. Dekker, A floating-point technique for extending the available precision, 1971, also the source of the
 * product of two parts). So the error of the correction is at most that of an addition, a multiplication and the rounding
 * of the inverse, three times 2^-53 of itself. If the correction 2^-50 smaller and 2^-50 larger lead to the same double,
 * so does every value between, including the exact one (Ziv's test, ACM TOMS 17, 1991). Almost only ties fail the test.
 *
 * @param digits below 2^63
 * @param scale 1 to 22
 */
function quotient(digits: u64, scale: usize): f64 {
  const divisor = power(scale)
  if (digits < CORRECTED_FROM) return <f64>(<i64>digits) / divisor
  const high = <f64>(<i64>(digits & ~1023))
  const low = <f64>(<i32>digits & 1023)
  const x = high / divisor
  const product = x * divisor
  const scaledX = SPLITTER * x
  const upperX = scaledX - (scaledX - x)
  const lowerX = x - upperX
  const scaledD = SPLITTER * divisor
  const upperD = scaledD - (scaledD - divisor)
  const lowerD = divisor - upperD
  const error = upperX * upperD - product + upperX * lowerD + lowerX * upperD + lowerX * lowerD
  const correction = (high - product - error + low) * load<f64>(INVERSES + (scale << 3))
  const rounded = x + correction * (1 - 8.881784197001252e-16)
  return rounded == x + correction * (1 + 8.881784197001252e-16) ? rounded : NaN
}

/**
 * `digits / 10^scale` rounded to the nearest double, or NaN if that is not certain.
 *
 * Uses one product of 64 by 64 bits, after D. Lemire (Number parsing at a gigabyte per second, Software: Practice and
 * Experience 51, 2021). The exact quotient is between that product and the product with the reciprocal plus one, which
 * differ by less than 2^64. Without the lowest of the four partial products, the upper word is too small by less than 3.
 * Rounding keeps 53 bits and drops 10 or 11. Only if the dropped bits are one half, or up to 3 below, can the exact value
 * be in the middle or on the other side. That affects one number in 400, and `quotient` decides it.
 *
 * @param digits below 2^63
 * @param scale 1 to 22
 */
// @ts-ignore: decorator
@inline
function scaled(digits: u64, scale: usize): f64 {
  if (digits == 0) return 0
  const zeros = clz(digits)
  const w = digits << zeros
  const reciprocal = RECIPROCALS + (scale << 3)
  const lower = <u64>load<u32>(reciprocal)
  const upper = <u64>load<u32>(reciprocal, 4)
  const middle = (w >> 32) * lower
  const carry = (w & 0xffffffff) * upper + (middle & 0xffffffff)
  const product = (w >> 32) * upper + (middle >> 32) + (carry >> 32)

  const isLong = product >> 63
  const half: u64 = 512 << isLong
  if (((product + 3 - half) & ((half << 1) - 1)) <= 3) return quotient(digits, scale)
  const significand = ((product >> (9 + isLong)) + 1) >> 1
  // The leading bit of the significand carries into the exponent, also if it was rounded up to 2^53.
  const exponent = 1148 + isLong - zeros - load<u64>(SHIFTS + (scale << 3))
  return reinterpret<f64>((exponent << 52) + significand)
}

/**
 * Reads numbers, each with the comma after it, until the next one begins at `end` or later. Leaves numbers that are not
 * plain (more than 18 digits, a large exponent, a tie) to the caller.
 *
 * Examines 32 bytes at once: the first non-digit is the point and the second the comma. So the processor finds the next
 * number early, while it still adds up the digits of this one.
 *
 * @param start where a number, or the space before it, begins
 * @param end at least 128 readable bytes must follow
 * @param out where to write the doubles
 */
export function scan(start: usize, end: usize, out: usize): i32 {
  let i = start
  let o = out
  let outcome = END_OF_WINDOW
  let least = Infinity
  let greatest = -Infinity
  let first = start
  while (i < end) {
    first = i
    let others = nonDigits(i) | (nonDigits(i + 16) << 16)
    let isNegative = false
    if (others & 1) {
      while (i < end && isSpace(load<u8>(i))) i += 1
      if (i >= end) break
      first = i
      isNegative = load<u8>(i) == 0x2d
      i += <usize>isNegative
      others = nonDigits(i) | (nonDigits(i + 16) << 16)
      if (others & 1) {
        outcome = NOT_JSON
        break
      }
    }

    const whole = <usize>ctz(others)
    if (whole > 1 && load<u8>(i) == 0x30) {
      outcome = NOT_JSON
      break
    }
    let digits: u64
    if (whole <= 8) {
      digits = valueOf(i, whole)
    } else {
      if (whole > 16) {
        outcome = NOT_PLAIN
        break
      }
      digits = valueOf(i, 8) * tens(whole - 8) + valueOf(i + 8, whole - 8)
    }
    i += whole

    let scale: isize = 0
    let c = <u32>load<u8>(i)
    if (c == 0x2e) {
      const count = <usize>ctz(others & (others - 1)) - whole - 1
      i += 1
      scale = count
      if (count == 0) {
        outcome = NOT_JSON
        break
      }
      if (count <= 16 && whole + count <= 18) {
        if (count <= 8) {
          digits = digits * tens(count) + valueOf(i, count)
        } else {
          const more = count - 8
          digits = (digits * 100000000 + valueOf(i, 8)) * tens(more) + valueOf(i + 8, more)
        }
      } else {
        // This many digits are plain only if the leading ones are zeros.
        const more = count - 16
        if (digits != 0 || count > 22) {
          outcome = NOT_PLAIN
          break
        }
        digits = valueOf(i, 8) * 100000000 + valueOf(i + 8, 8)
        if (digits > 1000000000000000000 / tens(more)) {
          outcome = NOT_PLAIN
          break
        }
        digits = digits * tens(more) + valueOf(i + 16, more)
      }
      i += count
      c = load<u8>(i)
    }

    if ((c | 0x20) == 0x65) {
      c = load<u8>(i + 1)
      const isBelow = c == 0x2d
      i += isBelow || c == 0x2b ? 2 : 1
      c = load<u8>(i)
      if (!isDigit(c)) {
        outcome = NOT_JSON
        break
      }
      let exponent: isize = c - 0x30
      c = load<u8>(i + 1)
      if (isDigit(c)) {
        exponent = exponent * 10 + (c - 0x30)
        i += 1
        c = load<u8>(i + 1)
      }
      if (isDigit(c)) {
        outcome = NOT_PLAIN
        break
      }
      i += 1
      scale -= isBelow ? -exponent : exponent
    }

    let x: f64
    if (scale == 0) {
      x = <f64>(<i64>digits)
    } else if (scale > 0 && scale <= 22) {
      x = scaled(digits, scale)
    } else if (scale < 0 && scale >= -22 && digits < 1 << 53) {
      x = <f64>(<i64>digits) * power(-scale)
    } else {
      x = NaN
    }
    if (x != x) {
      outcome = NOT_PLAIN
      break
    }

    if (c != 0x2c) {
      for (let spaces = 0; isSpace(c) && spaces < 16; spaces++) {
        i += 1
        c = load<u8>(i)
      }
      if (isSpace(c)) {
        outcome = NOT_PLAIN
        break
      }
      if (c == 0x5d) {
        outcome = END_OF_LIST
      } else if (c != 0x2c) {
        outcome = NOT_JSON
        break
      }
    }
    if (isNegative) x = -x
    if (x < least) least = x
    if (x > greatest) greatest = x
    store<f64>(o, x)
    o += 8
    i += 1
    first = i
    if (outcome == END_OF_LIST) break
  }
  at = outcome == END_OF_WINDOW ? i : first
  written = o
  minimum = least
  maximum = greatest
  return outcome
}
