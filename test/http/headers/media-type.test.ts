import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { MIMEType } from 'whatwg-mimetype'
import { isJsonInUtf8, type MediaType, parseMediaType } from '../../../src/http/headers/media-type.ts'

const tokenChars = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
const token = fc.string({
  unit: fc.constantFrom(...tokenChars),
  minLength: 1,
  maxLength: 8,
})
/** All characters of a header: Bun decodes bytes as Latin-1. */
const textChar = fc.oneof(
  fc.constantFrom('\t', ' ', '"', '\\', ';', ',', '='),
  fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)),
  fc.integer({ min: 0x80, max: 0xff }).map((code) => String.fromCharCode(code)),
)
const text = fc.string({ unit: textChar, maxLength: 12 })
const space = fc.constantFrom('', ' ', '\t', '  ')
const quote = (value: string): string => `"${value.replace(/["\\]/g, '\\$&')}"`

/** A media type as the grammar writes it, and what it means. */
const written = fc
  .record({
    type: token,
    subtype: token,
    parameters: fc.array(
      fc.record({
        name: token,
        value: fc.oneof(
          token.map((value) => ({ value, written: value })),
          text.map((value) => ({ value, written: quote(value) })),
        ),
        before: space,
        after: space,
        isEmpty: fc.boolean(),
      }),
      { maxLength: 4 },
    ),
    end: fc.constantFrom('', ' ', ';', ' ; ', ';;'),
  })
  .map(({ type, subtype, parameters, end }) => ({
    text: `${type}/${subtype}${parameters
      .map(
        ({ name, value, before, after, isEmpty }) =>
          `${before};${after}${isEmpty ? ';' : ''}${name}=${value.written}`,
      )
      .join('')}${end}`,
    essence: `${type}/${subtype}`.toLowerCase(),
    // Of a repeated name the first value counts.
    parameters: new Map(parameters.toReversed().map(({ name, value }) => [name.toLowerCase(), value.value])),
  }))

/** The result of an independent parser. It follows WHATWG, which skips what the grammar forbids. */
function reference(value: string): MediaType | undefined {
  const parsed = MIMEType.parse(value)
  return parsed === null
    ? undefined
    : { essence: parsed.essence, parameters: new Map(parsed.parameters.entries()) }
}

const entries = (mediaType: MediaType | undefined) =>
  mediaType && { essence: mediaType.essence, parameters: [...mediaType.parameters].toSorted() }

describe('a media type', () => {
  test('of the grammar is read as it was written, as an independent parser reads it', () => {
    fc.assert(
      fc.property(written, ({ text, essence, parameters }) => {
        const parsed = entries(parseMediaType(text))
        expect(parsed).toEqual(entries({ essence, parameters }))
        expect(parsed).toEqual(entries(reference(text)))
      }),
      { numRuns: 2_000 },
    )
  })

  test('that is any text is refused, or read as an independent parser reads it', () => {
    let accepted = 0
    const parts = fc.constantFrom('a/b', 'application/json', ';', 'c', '=', '"d"', '"', ' ', 'e=f', '\\', ',')
    const likely = fc
      .tuple(fc.constantFrom('', 'a/b;', 'a/b; c='), fc.array(fc.oneof(parts, textChar), { maxLength: 8 }))
      .map(([start, rest]) => start + rest.join(''))
    fc.assert(
      fc.property(likely, (value) => {
        const parsed = parseMediaType(value)
        if (parsed === undefined) return
        accepted++
        // White space around "=": the reference drops such a parameter.
        if (!/[\t ]=|=[\t ]/.test(value)) expect(entries(parsed)).toEqual(entries(reference(value)))
      }),
      { numRuns: 5_000 },
    )
    expect(accepted).toBeGreaterThan(100)
  })
})

describe('JSON in UTF-8', () => {
  test.each([
    'application/json',
    'application/json;',
    'application/json; charset=utf8',
    'application/json; charset=UTF-8',
    'application/json;charset="utf-8"',
    'application/json; charset=us-ascii',
    'application/json; version=1',
    'application/json; odata.metadata=minimal',
    'application/json; profile="a; charset=latin1"',
    'application/vnd.api+json; ext="https://jsonapi.example/atomic"',
    'APPLICATION/JSON',
    '\tapplication/problem+json ',
  ])('is %s', (value) => {
    expect(isJsonInUtf8(value)).toBe(true)
  })

  test.each([
    '',
    'json',
    'text/json',
    'application/jsonp',
    'application/+json',
    'application/json+xml',
    'application/json charset=utf-8',
    'application/json; charset=latin1',
    'application/json; charset="utf-16"',
    'application/json; charset=latin1; charset=utf-8',
    'application/json; charset=',
    'application/json; "a"',
    'application/json, text/plain',
    'application /json',
  ])('is not %s', (value) => {
    expect(isJsonInUtf8(value)).toBe(false)
  })
})
