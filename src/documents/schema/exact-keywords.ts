import type { Ajv, SchemaValidateFunction } from 'ajv'

/**
 * Replaces two keywords of ajv. Its `multipleOf` divides doubles, so 19.99 is no multiple of 0.01. Its `uniqueItems`
 * compares each item with every other one.
 */
export function replaceKeywords(ajv: Ajv): void {
  const multipleOf: SchemaValidateFunction = (divisor: number, value: number) => {
    if (isMultipleOf(value, divisor)) return true
    multipleOf.errors = [
      { keyword: 'multipleOf', message: `must be multiple of ${divisor}`, params: { multipleOf: divisor } },
    ]
    return false
  }
  const uniqueItems: SchemaValidateFunction = (required: boolean, items: readonly unknown[]) => {
    const duplicate = required ? findDuplicate(items) : undefined
    if (duplicate === undefined) return true
    const [i, j] = duplicate
    uniqueItems.errors = [
      {
        keyword: 'uniqueItems',
        message: `must NOT have duplicate items (items ## ${i} and ${j} are identical)`,
        params: { i, j },
      },
    ]
    return false
  }
  ajv
    .removeKeyword('multipleOf')
    .addKeyword({
      keyword: 'multipleOf',
      type: 'number',
      schemaType: 'number',
      validate: multipleOf,
      errors: true,
    })
    .removeKeyword('uniqueItems')
    .addKeyword({
      keyword: 'uniqueItems',
      type: 'array',
      schemaType: 'boolean',
      validate: uniqueItems,
      errors: true,
    })
}

/**
 * Whether a number is a multiple of another, both read as the decimals that JSON writes for them.
 *
 * @param value finite
 * @param divisor finite, above 0
 * @example isMultipleOf(19.99, 0.01) // true
 */
export function isMultipleOf(value: number, divisor: number): boolean {
  if (Number.isSafeInteger(value) && Number.isSafeInteger(divisor)) return value % divisor === 0
  const a = toDecimal(value)
  const b = toDecimal(divisor)
  const exponent = Math.min(a.exponent, b.exponent)
  const scale = (decimal: Decimal): bigint => decimal.digits * 10n ** BigInt(decimal.exponent - exponent)
  return scale(a) % scale(b) === 0n
}

/** `digits` times ten to the power of `exponent`. */
interface Decimal {
  readonly digits: bigint
  readonly exponent: number
}

/** The shortest decimal that is read as this double. */
function toDecimal(value: number): Decimal {
  const [mantissa = '', power] = value.toExponential().split('e')
  const [whole = '', fraction = ''] = mantissa.split('.')
  return { digits: BigInt(whole + fraction), exponent: Number(power) - fraction.length }
}

/** The places of two equal items, by JSON Schema's equality: the order of members does not matter. */
export function findDuplicate(items: readonly unknown[]): [first: number, second: number] | undefined {
  const seen = new Map<string, number>()
  for (const [index, item] of items.entries()) {
    const key = canonicalize(item)
    const first = seen.get(key)
    if (first !== undefined) return [first, index]
    seen.set(key, index)
  }
  return undefined
}

/** JSON text that is the same for equal values. */
function canonicalize(value: unknown): string {
  if (typeof value !== 'object' || value === null)
    return value === Number.POSITIVE_INFINITY
      ? '1e999'
      : value === Number.NEGATIVE_INFINITY
        ? '-1e999'
        : JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(canonicalize).join(',')}]`
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${canonicalize(member)}`).join(',')}}`
}
