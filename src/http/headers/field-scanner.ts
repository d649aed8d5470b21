/** RFC 9110 §5.6.2. */
const tokenPattern = /[\w!#$%&'*+.^`|~-]+/y
/** RFC 9110 §5.6.4: the two alternatives share no character, so a match takes linear time. */
const quotedPattern = /"((?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*)"/y
/** RFC 9110 §8.8.3. An opaque tag has no escapes and no spaces, unlike a quoted string. */
const entityTagPattern = /(W\/)?"([\x21\x23-\x7e\x80-\xff]*)"/y
const spacePattern = /[\t ]*/y
const unquotedPattern = /[^\t ",;]+/y

/** An entity tag as it is sent (RFC 9110 §8.8.3). */
export interface EntityTag {
  readonly isWeak: boolean
  /** The text between the quotes. */
  readonly opaque: string
}

/** Parses the parts of header fields from left to right. Each method consumes its part, or nothing. */
export class FieldScanner {
  #at = 0

  constructor(private readonly value: string) {}

  /** True when nothing is left. */
  get isAtEnd(): boolean {
    return this.#at === this.value.length
  }

  /** Optional white space. */
  skipSpace(): void {
    this.#match(spacePattern)
  }

  /** @returns whether the character came next */
  take(character: string): boolean {
    if (this.value[this.#at] !== character) return false
    this.#at++
    return true
  }

  token(): string | undefined {
    return this.#match(tokenPattern)?.[0]
  }

  /** The text of a quoted string, without its quotes and escapes. */
  quotedString(): string | undefined {
    return this.#match(quotedPattern)?.[1]?.replace(/\\(.)/g, '$1')
  }

  /** The text before white space, a separator or a quote: for values that some senders fail to quote. */
  unquotedText(): string | undefined {
    return this.#match(unquotedPattern)?.[0]
  }

  entityTag(): EntityTag | undefined {
    const match = this.#match(entityTagPattern)
    return match === undefined ? undefined : { isWeak: match[1] !== undefined, opaque: match[2] ?? '' }
  }

  #match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at
    const match = pattern.exec(this.value)
    if (match === null) return undefined
    this.#at = pattern.lastIndex
    return match
  }
}

/**
 * Reads a list (RFC 9110 §5.6.1): elements between commas, of which some may be empty.
 *
 * @param parse takes one element from the scanner
 * @returns undefined when the value is not a list of such elements
 */
export function parseList<T>(
  value: string,
  parse: (scanner: FieldScanner) => T | undefined,
): T[] | undefined {
  const scanner = new FieldScanner(value)
  const elements: T[] = []
  for (;;) {
    scanner.skipSpace()
    if (scanner.take(',')) continue
    if (scanner.isAtEnd) return elements
    const element = parse(scanner)
    if (element === undefined) return undefined
    elements.push(element)
    scanner.skipSpace()
    if (!scanner.isAtEnd && !scanner.take(',')) return undefined
  }
}

/**
 * The elements of a list from its end, for lists to which each proxy appends one. A comma in a quoted string separates
 * nothing. Text on the left, such as an open quote, does not change what is found to the right of it.
 *
 * @example [...elementsFromEnd('a, b="c,d"')] // [' b="c,d"', 'a']
 */
export function* elementsFromEnd(list: string): Generator<string, undefined> {
  let end = list.length
  let isQuoted = false
  for (let i = list.length - 1; i >= 0; i--) {
    const character = list[i]
    if (character === '"' && !isEscaped(list, i)) isQuoted = !isQuoted
    else if (character === ',' && !isQuoted) {
      yield list.slice(i + 1, end)
      end = i
    }
  }
  yield list.slice(0, end)
}

/** Whether an odd number of backslashes stands before a character. */
function isEscaped(text: string, index: number): boolean {
  let first = index
  while (text[first - 1] === '\\') first--
  return (index - first) % 2 === 1
}
