/**
 * Whether arrays and objects are nested more than `levels` deep in a JSON text; of a text that is not
 * JSON it may say either, for the parser refuses that.
 *
 * Why before parsing: JSON.parse keeps some 80 bytes a level, so 30 MB of `[` cost it 9 s and 2 GB. Few
 * texts have enough opening brackets to be looked at closely; to find that out costs 1 ms for 10 MB.
 *
 * @example isNestedDeeperThan(2, '{"a": [[1]]}') // true
 */
export function isNestedDeeperThan(levels: number, text: string): boolean {
  return text.length > levels && hasMoreOpenings(levels, text) && deepest(levels, text) > levels
}

function hasMoreOpenings(count: number, text: string): boolean {
  let found = 0
  for (const opening of ['[', '{'])
    for (let i = text.indexOf(opening); i !== -1; i = text.indexOf(opening, i + 1))
      if (++found > count) return true
  return false
}

/** The deepest level, or the first one above `enough`. Brackets in strings are text. */
function deepest(enough: number, text: string): number {
  let depth = 0
  let most = 0
  for (let i = 0; i < text.length && most <= enough; i++) {
    const char = text[i]
    if (char === '"') i = endOfString(text, i)
    else if (char === '[' || char === '{') most = Math.max(most, ++depth)
    else if (char === ']' || char === '}') depth--
  }
  return most
}

/** The index of the quote that ends the string which begins at `start`; the text's end when none does. */
function endOfString(text: string, start: number): number {
  let i = start + 1
  while (i < text.length && text[i] !== '"') i += text[i] === '\\' ? 2 : 1
  return i
}
