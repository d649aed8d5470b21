/** A type of Terraform, as far as the names of its attributes matter. */
export type TypeExpression =
  | { readonly kind: 'other' }
  | { readonly kind: 'map' | 'list'; readonly of: TypeExpression }
  | { readonly kind: 'object'; readonly attributes: ReadonlyMap<string, Attribute> }

export interface Attribute {
  readonly optional: boolean
  readonly type: TypeExpression
}

/**
 * Parses the type of a variable.
 *
 * @example parseType('map(object({ a = string, b = optional(number) }))') // a map of objects with a, and maybe b
 * @throws SyntaxError for text that is no type
 */
export function parseType(text: string): TypeExpression {
  const tokens = text.replaceAll(/#.*$/gm, '').match(/[\w-]+|"(?:[^"\\]|\\.)*"|[(){}[\]=,]/g) ?? []
  const parser = new TypeParser(tokens)
  const type = parser.type()
  parser.end()
  return type
}

class TypeParser {
  readonly #tokens: readonly string[]
  #at = 0

  constructor(tokens: readonly string[]) {
    this.#tokens = tokens
  }

  type(): TypeExpression {
    const name = this.#next()
    if (this.#peek() !== '(') return { kind: 'other' }
    this.#expect('(')
    const type = this.#arguments(name)
    this.#expect(')')
    return type
  }

  end(): void {
    if (this.#at < this.#tokens.length) throw new SyntaxError(`unexpected ${this.#peek()} after a type`)
  }

  #arguments(name: string): TypeExpression {
    if (name === 'object') return { kind: 'object', attributes: this.#attributes() }
    if (name === 'map') return { kind: 'map', of: this.type() }
    if (name === 'list' || name === 'set') return { kind: 'list', of: this.type() }
    this.#skipUntilClosed()
    return { kind: 'other' }
  }

  #attributes(): ReadonlyMap<string, Attribute> {
    const attributes = new Map<string, Attribute>()
    this.#expect('{')
    while (this.#peek() !== '}') {
      const name = this.#next()
      this.#expect('=')
      attributes.set(name, this.#attribute())
      if (this.#peek() === ',') this.#next()
    }
    this.#expect('}')
    return attributes
  }

  #attribute(): Attribute {
    if (this.#peek() !== 'optional') return { optional: false, type: this.type() }
    this.#next()
    this.#expect('(')
    const type = this.type()
    // The default.
    this.#skipUntilClosed()
    this.#expect(')')
    return { optional: true, type }
  }

  /** Skips to the parenthesis that closes the present one. */
  #skipUntilClosed(): void {
    for (let depth = 0; depth > 0 || this.#peek() !== ')'; ) {
      const token = this.#next()
      if ('([{'.includes(token)) depth++
      else if (')]}'.includes(token)) depth--
    }
  }

  #peek(): string | undefined {
    return this.#tokens[this.#at]
  }

  #next(): string {
    const token = this.#tokens[this.#at++]
    if (token === undefined) throw new SyntaxError('a type ends too early')
    return token
  }

  #expect(token: string): void {
    const found = this.#next()
    if (found !== token) throw new SyntaxError(`${token} expected in a type, not ${found}`)
  }
}
