import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { RE2JS } from 're2js'
import { createPatternCompiler } from '../../../src/documents/schema/linear-pattern.ts'

const compile = createPatternCompiler(RE2JS)

/** Characters on which the two dialects might differ. */
const characters = [
  ...'aAzZ09_-.,:;[]()<>{}^$|?*+/\\& \t\n\v\f\r\b\0éßж😀😁',
  '\u00a0',
  '\u1680',
  '\u2003',
  '\u2028',
  '\u2029',
  '\u202f',
  '\u3000',
  '\ufeff',
  '\u0001',
  '\ud83d',
  '\ude00',
  '\u212a',
]

describe.each([
  '^[a-z]+$',
  '^.$',
  '.',
  '^.{2,3}$',
  '\\s',
  '^\\S+$',
  '^[\\s\\S]$',
  '^[^\\s]+$',
  '^[^\\S]+$',
  '^[\\s_-]+$',
  '[\\b]',
  '\\bA\\b',
  'a\\B',
  '^\\d{1,3}$',
  '^\\D\\W\\w$',
  '[\\d\\w]',
  '^\\p{L}+$',
  '^\\P{L}+$',
  '\\p{Script=Cyrillic}',
  '^[\\p{Lu}\\p{Nd}]+$',
  '\\p{gc=Ll}',
  '\\u{1F600}',
  '\\u{00001F600}',
  '^\\p{sc=Latin}$',
  '\\uD83D\\uDE00',
  '^[\\uD83D\\uDE00-\\uD83D\\uDE01]$',
  '\\u00e9|\\x41',
  '[😀-😁]',
  '^😀?$',
  '\\ud83d',
  '\\cA',
  '\\0',
  '[\\0-\\x08]',
  '^[^]$',
  'a[]',
  '[[]',
  '^[[a]+$',
  '[a[]',
  '^[\\]\\[\\-^.]+$',
  '(?<year>\\d)-(?<month>\\d)',
  '(?:a|A)(z|Z)',
  '^(?:a|b)*?z$',
  '\\/\\.\\*\\+\\?\\(\\)\\{\\}\\$\\|\\^',
  '^$',
  '$^',
  '\\t|\\n|\\v|\\f|\\r',
  '\\p{Emoji}',
  '[&&a]',
  '^[.]$',
  '^[(?<]$',
  'K',
])('the pattern %p', (pattern) => {
  test('matches the same texts as a RegExp', () => {
    const linear = compile(pattern)
    const native = new RegExp(pattern, 'u')
    const text = fc.string({ unit: fc.constantFrom(...characters), maxLength: 5 })
    for (const one of characters) expect([one, linear.test(one)]).toEqual([one, native.test(one)])
    fc.assert(
      fc.property(text, (value) => {
        expect([value, linear.test(value)]).toEqual([value, native.test(value)])
      }),
      { numRuns: 500 },
    )
  })
})

test.each(['^(?=.*A).+$', '(?!a)', '(?<=a)b', '(?<!a)b', '(a)\\1', '(?<n>a)\\k<n>', '^.{1,2000}$'])(
  'the pattern %p is refused, with the unsupported construct',
  (pattern) => {
    expect(() => compile(pattern)).toThrow(/cannot be matched in linear time: .*not supported/)
  },
)

test.each(['(', '[z-a]', '\\_', 'a{2,1}'])('the pattern %p is refused as a RegExp refuses it', (pattern) => {
  expect(() => compile(pattern)).toThrow(SyntaxError)
})

test.each([
  ['^(a+)+$', 'a'],
  ['^(a|a)*$', 'a'],
  ['(x+x+)+y', 'x'],
  ['\\s+$', ' '],
  ['^([a-zA-Z0-9]+\\s?)+$', 'a1'],
  ['(.*)*=', 'x'],
])('the pattern %p is fast for a megabyte of its worst case', (pattern, unit) => {
  const linear = compile(pattern)
  const text = `${unit.repeat(2 ** 20 / unit.length)}!`
  const start = performance.now()
  expect(linear.test(text)).toBe(false)
  // Backtracking takes minutes for a thousandth of it.
  expect(performance.now() - start).toBeLessThan(5_000)
})
