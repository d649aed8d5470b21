/** Minimum bits of a quotient or root: more than the 53 of a double and the bit that decides the rounding. */
const minBits = 64

/** The exponent of the last place of a subnormal double: 2^-1074 is the smallest. */
const minExponent = -1074

/**
 * The double nearest to `numerator / denominator * 2^exponent`, ties to even, as in IEEE 754. Rounds subnormals once, at
 * their own last place; returns Infinity for a value that is too large. Uses exact integer arithmetic.
 *
 * @param denominator above 0
 * @example roundRatio(1n, 10n, 0) // 0.1
 */
export function roundRatio(numerator: bigint, denominator: bigint, exponent: number): number {
  const magnitude = numerator < 0n ? -numerator : numerator
  if (magnitude === 0n) return 0
  const shift = minBits - bitLength(magnitude) + bitLength(denominator)
  const scaledNumerator = shift > 0 ? magnitude << BigInt(shift) : magnitude
  const scaledDenominator = shift < 0 ? denominator << BigInt(-shift) : denominator
  const quotient = scaledNumerator / scaledDenominator
  const inexact = quotient * scaledDenominator !== scaledNumerator
  const rounded = roundBits(quotient, inexact, exponent - shift)
  return numerator < 0n ? -rounded : rounded
}

/**
 * The double nearest to `sqrt(numerator / denominator) * 2^exponent`, ties to even.
 *
 * @param numerator 0 or above
 * @param denominator above 0
 * @example roundRootOfRatio(5n, 2n, 0) // 1.5811388300841898
 */
export function roundRootOfRatio(numerator: bigint, denominator: bigint, exponent: number): number {
  if (numerator === 0n) return 0
  const halfShift = minBits - ((bitLength(numerator) - bitLength(denominator)) >> 1)
  const shift = 2 * halfShift
  const scaledNumerator = shift > 0 ? numerator << BigInt(shift) : numerator
  const scaledDenominator = shift < 0 ? denominator << BigInt(-shift) : denominator
  const quotient = scaledNumerator / scaledDenominator
  const root = integerRoot(quotient)
  const inexact = root * root * scaledDenominator !== scaledNumerator
  return roundBits(root, inexact, exponent - halfShift)
}

/**
 * `bits * 2^exponent` as a double, ties to even. `inexact` means that the true value is above it by less than one bit.
 * `bits` must have more bits than a double.
 */
function roundBits(bits: bigint, inexact: boolean, exponent: number): number {
  const lastPlace = Math.max(exponent + bitLength(bits) - 53, minExponent)
  const dropped = BigInt(lastPlace - exponent)
  const kept = bits >> dropped
  const rest = bits - (kept << dropped)
  const half = 1n << (dropped - 1n)
  const up = rest > half || (rest === half && (inexact || (kept & 1n) === 1n))
  return Number(up ? kept + 1n : kept) * 2 ** lastPlace
}

/** The largest integer whose square is not above `square` (Newton's iteration from above). */
function integerRoot(square: bigint): bigint {
  let root = 1n << BigInt((bitLength(square) + 1) >> 1)
  for (;;) {
    const next = (root + square / root) >> 1n
    if (next >= root) return root
    root = next
  }
}

function bitLength(positive: bigint): number {
  const hexadecimal = positive.toString(16)
  return 4 * hexadecimal.length - Math.clz32(Number.parseInt(hexadecimal[0]!, 16)) + 28
}
