/**
 * Whether arrays and objects are nested more than `maxDepth` levels deep in a JSON text. For a text that is not
 * JSON either answer is possible; the parser rejects it anyway.
 *
 * Checked before parsing, because JSON.parse keeps memory for every open level: megabytes of `[` would cost it
 * seconds and gigabytes. Few texts have enough opening brackets to need the closer look.
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

/** The deepest level; stops at the first one above `limit`. Brackets within strings do not count. */
function measureDepth(text: string, limit: number): number {
  let depth = 0
  let deepest = 0
  for (let i = 0; i < text.length && deepest <= limit; i++) {
    const char = text[i]
    if (char === '"') i = findClosingQuote(text, i)
    else if (char === '[' || char === '{') deepest = Math.max(deepest, ++depth)
    else if (char === ']' || char === '}') depth--
  }
  return deepest
}

/** The index of the quote that ends the string which begins at `start`; the text's length if there is none. */
function findClosingQuote(text: string, start: number): number {
  let i = start + 1
  while (i < text.length && text[i] !== '"') i += text[i] === '\\' ? 2 : 1
  return i
}
