import type { RE2JS } from 're2js'

/** The characters that ECMAScript's `\s` matches, and all others, each as the inside of a character class. */
const space =
  '\\t-\\r \\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}\\x{feff}'
const notSpace =
  '\\x00-\\x08\\x{e}-\\x{1f}!-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}' +
  '\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}\\x{3001}-\\x{fefe}\\x{ff00}-\\x{10ffff}'
const any = '\\x00-\\x{10ffff}'

/** A pattern's smallest parts: escapes, the beginning of a named group, classes without contents, single characters. */
const token =
  /\\u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|\\u\{[\da-fA-F]+\}|\\u[\da-fA-F]{4}|\\c[a-zA-Z]|\\[pP]\{[^}]*\}|\\[\s\S]|\(\?<(?![=!])|\[\^?\]|[\s\S]/gu

/**
 * Translates a pattern of ECMAScript with the flag `u`, which JSON Schema prescribes, to the syntax of RE2. The two
 * differ in what `\s` and a dot match, and in how code points, named groups and empty classes are written.
 *
 * @param pattern valid in ECMAScript
 * @example toRe2Syntax('^.\\u{1F600}$') // '^[^\\n\\r\\x{2028}\\x{2029}]\\x{1f600}$'
 */
export function toRe2Syntax(pattern: string): string {
  let inClass = false
  return pattern.replace(token, (part) => {
    if (part.startsWith('\\')) return translateEscape(part, inClass)
    if (inClass) {
      inClass = !part.endsWith(']')
      // A bracket within a class could begin a class of POSIX.
      return part.replace('[', '\\[')
    }
    inClass = part === '['
    return outsideClass[part] ?? part
  })
}

const outsideClass: Readonly<Record<string, string>> = {
  '.': '[^\\n\\r\\x{2028}\\x{2029}]',
  '(?<': '(?P<',
  '[]': `[^${any}]`,
  '[^]': `[${any}]`,
}

function translateEscape(part: string, inClass: boolean): string {
  const toCodePoint = (point: number): string => `\\x{${point.toString(16)}}`
  // Two escapes of UTF-16 are one code point.
  if (/^\\u\w{4}\\u/.test(part))
    return toCodePoint((JSON.parse(`"${part}"`) as string).codePointAt(0) as number)
  if (/^\\u/.test(part)) return toCodePoint(Number.parseInt(part.replace(/^\\u\{?/, ''), 16))
  if (/^\\c./.test(part)) return toCodePoint((part.codePointAt(2) as number) % 32)
  switch (part) {
    case '\\s':
      return inClass ? space : `[${space}]`
    case '\\S':
      return inClass ? notSpace : `[${notSpace}]`
    case '\\b':
      return inClass ? '\\x08' : part
    case '\\0':
      return '\\x00'
    default:
      // RE2 names scripts and categories without their property.
      return part.replace(/^(\\[pP]\{)(?:script|sc|general_category|gc)=/i, '$1')
  }
}

/** Tests texts in time proportional to their length, for every pattern. */
export interface LinearPattern {
  test(text: string): boolean
}

/**
 * Makes the compiler of patterns. A `RegExp` of the runtime backtracks: some patterns take exponential time for texts of a
 * few dozen characters, and most that begin with a repetition take quadratic time.
 *
 * @throws the compiler, for a pattern that is invalid in ECMAScript or needs backtracking: lookaround and back-references.
 *   Repetitions of more than 1,000 are invalid too
 */
export function createPatternCompiler(re2: typeof RE2JS): (pattern: string) => LinearPattern {
  return (pattern) => {
    // The engine's own message explains what is invalid.
    new RegExp(pattern, 'u')
    try {
      return re2.compile(toRe2Syntax(pattern))
    } catch (error) {
      const reason = error instanceof Error ? error.message : ''
      throw new Error(
        `the pattern ${JSON.stringify(pattern)} cannot be matched in linear time: ${reason}. ` +
          'Lookaround, back-references and repetitions of more than 1000 are not supported',
        { cause: error },
      )
    }
  }
}
