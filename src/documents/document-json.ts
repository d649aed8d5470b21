/**
 * The canonical form of a document's id, which is its key: `7` and `"7"` are one document.
 *
 * @param id the value of the member `id`
 * @returns undefined when the value is neither a string nor a whole number from 0 that a double represents exactly
 */
export function normalizeId(id: unknown): string | undefined {
  if (typeof id === 'string') return id
  if (typeof id === 'number' && Number.isSafeInteger(id) && id >= 0) return String(id)
  return undefined
}

/**
 * Inserts an `id` before the other members of a document's text. The rest of the text is unchanged, so numbers keep
 * their spelling, including numbers that no double represents.
 *
 * @param text the text of a JSON object without a member `id`
 * @example insertId('{"n": 1.10}', 'a') // '{"id":"a","n": 1.10}'
 */
export function insertId(text: string, id: string): string {
  const rest = text.slice(text.indexOf('{') + 1)
  const separator = /^[ \t\r\n]*\}/.test(rest) ? '' : ','
  return `{"id":${JSON.stringify(id)}${separator}${rest}`
}

/**
 * Whether a parsed value nests deeper than `maxDepth` levels. It does not recurse, because JSON.parse accepts far more
 * levels than the stack does.
 *
 * @example exceedsDepth([[1]], 1) // true
 */
export function exceedsDepth(value: unknown, maxDepth: number): boolean {
  let level: unknown[] = [value]
  for (let depth = 0; level.length > 0; depth++) {
    const nested = level.filter((each): each is object => typeof each === 'object' && each !== null)
    if (nested.length > 0 && depth >= maxDepth) return true
    level = nested.flatMap((each) => Object.values(each))
  }
  return false
}
