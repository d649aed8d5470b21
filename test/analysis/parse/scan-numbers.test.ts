import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { scanNumbers } from '../../../src/analysis/parse/scan-numbers.ts'

const scan = (list: string, maxCount = 1e7) => scanNumbers(Buffer.from(list), 1, maxCount)

/** Expects the numbers of JSON.parse, to the last bit and the sign of zero. */
function expectSame(list: string): void {
  const scanned = scan(list)
  expect(scanned?.end).toBe(list.length)
  const expected = JSON.parse(list) as number[]
  const index = expected.findIndex((number, i) => !Object.is(number, scanned?.values[i]))
  expect({ index, token: list.slice(1, -1).split(',')[index] }).toEqual({ index: -1, token: undefined })
  expect(scanned?.values.length).toBe(expected.length)
  // The minimum or maximum may be either zero.
  expect((scanned?.minimum ?? Number.NaN) + 0).toBe(expected.reduce((least, x) => Math.min(least, x)) + 0)
  expect((scanned?.maximum ?? Number.NaN) + 0).toBe(expected.reduce((most, x) => Math.max(most, x)) + 0)
}

const digits = (minLength: number, maxLength: number) =>
  fc.string({ unit: fc.constantFrom(...'0123456789'), minLength, maxLength })
const integer = digits(1, 20).map((text) => String(BigInt(text)))
const sign = fc.constantFrom('', '-')

/** Odd multiples of half a unit in the last place, halfway between two doubles, and their neighbors. */
const nearTie = fc
  .tuple(
    fc.bigInt(2n ** 52n, 2n ** 53n - 1n),
    fc.integer({ min: 0, max: 6 }),
    fc.integer({ min: -1, max: 1 }),
  )
  .map(([significand, shift, beside]) => String(((2n * significand + 1n) << BigInt(shift)) + BigInt(beside)))
const tieOfFraction = fc
  .tuple(fc.bigInt(2n ** 49n, 2n ** 53n - 1n), fc.integer({ min: 1, max: 6 }))
  .map(([odd, places]) => {
    const text = String((2n * odd + 1n) * 5n ** BigInt(places)).padStart(places + 1, '0')
    return `${text.slice(0, -places)}.${text.slice(-places)}`
  })

const numbers: Record<string, fc.Arbitrary<string>> = {
  'doubles in JavaScript format': fc
    .double({ noNaN: true, noDefaultInfinity: true })
    .map((x) => JSON.stringify(x)),
  'doubles of common magnitudes': fc
    .tuple(fc.double({ min: -1, max: 1, noNaN: true }), fc.integer({ min: -6, max: 15 }))
    .map(([x, exponent]) => JSON.stringify(x * 10 ** exponent)),
  integers: fc.tuple(sign, integer).map((parts) => parts.join('')),
  'decimals of any length': fc
    .tuple(sign, integer, fc.constant('.'), digits(1, 25))
    .map((parts) => parts.join('')),
  'small decimals': fc
    .tuple(sign, fc.constant('0.'), fc.stringMatching(/^0{0,20}$/), digits(1, 18))
    .map((parts) => parts.join('')),
  'exponents of all kinds': fc
    .tuple(
      sign,
      integer,
      fc.constantFrom('e', 'E', '.5e', '.0E'),
      fc.constantFrom('', '+', '-'),
      digits(1, 2),
    )
    .map((parts) => parts.join('')),
  'ties of large integers': nearTie,
  'ties of fractions': tieOfFraction,
}

describe('scans a list of numbers like JSON.parse', () => {
  for (const [name, number] of Object.entries(numbers)) {
    test(name, () => {
      fc.assert(
        fc.property(fc.array(number, { minLength: 1, maxLength: 60 }), (list) =>
          expectSame(`[${list.join(',')}]`),
        ),
        { numRuns: 300 },
      )
    })
  }

  test('with white space anywhere', () => {
    const space = fc.string({ unit: fc.constantFrom(' ', '\n', '\r', '\t'), maxLength: 40 })
    fc.assert(
      fc.property(
        fc.array(fc.tuple(space, fc.double({ noNaN: true, noDefaultInfinity: true }), space)),
        (list) => {
          const items = list.map(([before, x, behind]) => `${before}${JSON.stringify(x)}${behind}`)
          expectSame(`[ 1 ,${items.join(',')}${items.length === 0 ? '' : ','}2]`)
        },
      ),
    )
    for (const spaces of [16, 17, 100, 64 * 1024, 200_000])
      expectSame(`[1${' '.repeat(spaces)},${' '.repeat(spaces)}-2.5${'\n'.repeat(spaces)}]`)
  })

  test('across window boundaries at every offset', () => {
    const list = Array.from({ length: 20_000 }, (_, i) => JSON.stringify(((i * 7919) % 10_007) / 7))
    for (let shift = 0; shift < 40; shift++) expectSame(`[${' '.repeat(shift)}${list.join(',')}]`)
  })

  test('with some numbers that need parsing one by one', () => {
    const long = `0.${'1234567890'.repeat(30_000)}`
    expectSame(`[1,${long},2,1e300,9007199254740993,${'3,'.repeat(100_000)}5e-324]`)
  })
})

describe('leaves all other input to JSON.parse:', () => {
  const wrong = [
    '',
    '01',
    '-',
    '1.',
    '.5',
    '+1',
    '1e',
    '1e+',
    '0x1',
    'NaN',
    '--1',
    '1 2',
    '1,',
    ',1',
    '1,,2',
  ].concat(['1e400', '-1e999', '00', '-01', '1.e5', 'null', '[1]', '"1"', '1\u00a0', '1;2', '9'.repeat(400)])
  for (const item of wrong) {
    test(JSON.stringify(item.slice(0, 20)), () => {
      for (const before of ['', ' '.repeat(100), '1.5,'.repeat(16_370), '1.5,'.repeat(100_000)])
        expect(scan(`[${before}${item}]`)).toBeUndefined()
    })
  }

  test('an unterminated list', () => {
    const list = `[${'12.25,'.repeat(40_000)}`
    for (let cut = 1; cut < 20; cut++) expect(scan(list.slice(0, -cut))).toBeUndefined()
    for (const end of ['', ' ', '1e300', '9'.repeat(400), '-', '1e', '0.'])
      expect(scan(`[1,${end}`)).toBeUndefined()
    expect(scan('[')).toBeUndefined()
  })

  test('more numbers than the limit', () => {
    expect(scan('[1,2,3]', 3)?.values).toEqual(Float64Array.of(1, 2, 3))
    expect(scan('[1,2,3,4]', 3)).toBeUndefined()
    expect(scan('[1,2,3,1e300]', 3)).toBeUndefined()
  })
})
