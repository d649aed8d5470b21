/**
 * Whether arrays and objects are nested more than `maxDepth` levels deep in a JSON text. For a text that is not JSON the
 * result is arbitrary; the parser rejects it anyway.
 *
 * Call this before JSON.parse, which needs memory for every open level: megabytes of `[` would cost it seconds and
 * gigabytes. Most texts have too few opening brackets to exceed the limit, so the exact measurement is rare.
 *
 * @example exceedsDepth('{"a": [[1]]}', 2) // true
 */
export function exceedsDepth(text: string, maxDepth: number): boolean {
  return text.length > maxDepth && hasMoreBrackets(text, maxDepth) && measureDepth(text, maxDepth) > maxDepth
}

function hasMoreBrackets(text: string, count: number): boolean {
  let found = 0
  for (const bracket of ['[', '{'])
    for (let i = text.indexOf(bracket); i !== -1; i = text.indexOf(bracket, i + 1))
      if (++found > count) return true
  return false
}

const quote = 0x22
const backslash = 0x5c
const openBracket = 0x5b
const closeBracket = 0x5d
const openBrace = 0x7b
const closeBrace = 0x7d

/** The deepest level; stops at the first one above `limit`. Brackets within strings do not count. */
function measureDepth(text: string, limit: number): number {
  let depth = 0
  let deepest = 0
  for (let i = 0; i < text.length && deepest <= limit; i++) {
    switch (text.charCodeAt(i)) {
      case quote:
        i = findClosingQuote(text, i)
        break
      case openBracket:
      case openBrace:
        if (++depth > deepest) deepest = depth
        break
      case closeBracket:
      case closeBrace:
        depth--
    }
  }
  return deepest
}

/** The index of the quote that ends the string which begins at `start`; the text's length if there is none. */
function findClosingQuote(text: string, start: number): number {
  let end = text.indexOf('"', start + 1)
  while (end !== -1 && isEscaped(text, end)) end = text.indexOf('"', end + 1)
  return end === -1 ? text.length : end
}

/** Whether an odd number of backslashes is before a character of a string. */
function isEscaped(text: string, index: number): boolean {
  let first = index
  while (text.charCodeAt(first - 1) === backslash) first--
  return (index - first) % 2 === 1
}
