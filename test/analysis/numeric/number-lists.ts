import fc from 'fast-check'

const finite = fc.double({ noNaN: true, noDefaultInfinity: true })

/** A double of any magnitude, with all exponents equally likely. */
const anyMagnitude = fc
  .record({
    significand: fc.double({ min: 1, max: 2, noNaN: true }),
    exponent: fc.integer({ min: -1074, max: 1022 }),
  })
  .chain(({ significand, exponent }) =>
    fc.constantFrom(1, -1).map((side) => side * significand * 2 ** exponent),
  )

function listsOf<T>(items: fc.Arbitrary<T>, maxLength = 200): fc.Arbitrary<T[]> {
  return fc.array(items, { minLength: 1, maxLength, size: 'max' })
}

/** Lists whose sums, differences or squares are inaccurate when computed naively. */
export const numberLists: Record<string, fc.Arbitrary<number[]>> = {
  'small integers': listsOf(fc.integer({ min: -9, max: 9 })),
  'whole numbers up to 2^53': listsOf(fc.maxSafeInteger()),
  'amounts with two decimals': listsOf(fc.integer({ min: 0, max: 1_000_000 }).map((cents) => cents / 100)),
  'uniform between 0 and 1': listsOf(fc.double({ min: 0, max: 1, noNaN: true })),
  'any doubles': listsOf(finite),
  'mixed magnitudes': listsOf(anyMagnitude),
  'two or three mixed magnitudes': listsOf(anyMagnitude, 3),
  'a tiny spread beside a huge mean': fc
    .tuple(anyMagnitude, listsOf(fc.integer({ min: -40, max: 40 })))
    .map(([offset, steps]) => steps.map((step) => offset * (1 + step * 2 ** -52)))
    .map((list) => list.filter(Number.isFinite))
    .filter((list) => list.length > 0),
  'around a power of two': fc
    .tuple(fc.integer({ min: -1000, max: 1000 }), listsOf(fc.integer({ min: -3, max: 3 })))
    .map(([exponent, steps]) => steps.map((step) => 2 ** exponent * (1 + step * 2 ** -53))),
  'a common offset': fc
    .tuple(fc.constantFrom(1e3, 1e6, 1e9, 1e12, 1e15), listsOf(fc.double({ min: 0, max: 1, noNaN: true })))
    .map(([offset, list]) => list.map((x) => offset + x)),
  subnormals: listsOf(fc.integer({ min: -1_000_000, max: 1_000_000 }).map((units) => units * 2 ** -1074)),
  'both sides of the smallest normal': listsOf(fc.double({ min: -1e-307, max: 1e-307, noNaN: true })),
  'sums beyond the largest double': listsOf(fc.double({ min: 1e307, max: Number.MAX_VALUE, noNaN: true })),
  'nearly everything cancels': fc
    .tuple(listsOf(anyMagnitude, 60), listsOf(anyMagnitude, 3))
    .map(([list, rest]) => [...list, ...rest, ...list.map((x) => -x)]),
  'one number far from the rest': fc
    .tuple(anyMagnitude, listsOf(fc.double({ min: -1, max: 1, noNaN: true })))
    .map(([far, list]) => [...list, far]),
  'two different values': fc
    .tuple(finite, finite, listsOf(fc.boolean()))
    .map(([a, b, choices]) => choices.map((choice) => (choice ? a : b))),
}
