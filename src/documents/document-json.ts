/**
 * The id of a document, in the canonical form that is its key: `7` and `"7"` are one document.
 *
 * @param id the value of the member `id`
 * @returns the key; undefined when the value is neither a string nor a whole number that a double holds exactly
 */
export function keyOf(id: unknown): string | undefined {
  if (typeof id === 'string') return id
  if (typeof id === 'number' && Number.isSafeInteger(id) && id >= 0) return String(id)
  return undefined
}

/**
 * Puts an `id` in front of a document's other members, in its text: nothing else of the text changes, so
 * numbers stay as they were written, also those that no double holds.
 *
 * @param text the text of a JSON object without a member `id`
 * @example withId('{"n": 1.10}', 'a') // '{"id":"a","n": 1.10}'
 */
export function withId(text: string, id: string): string {
  const rest = text.slice(text.indexOf('{') + 1)
  const separator = /^[ \t\r\n]*\}/.test(rest) ? '' : ','
  return `{"id":${JSON.stringify(id)}${separator}${rest}`
}

/**
 * Whether a parsed value nests deeper than `max` levels. Without recursion: JSON.parse takes a hundred
 * thousand levels, which most of what walks a value afterwards does not.
 *
 * @example deeperThan([[1]], 1) // true
 */
export function deeperThan(value: unknown, max: number): boolean {
  let level: unknown[] = [value]
  for (let depth = 0; level.length > 0; depth++) {
    const nested = level.filter((one): one is object => typeof one === 'object' && one !== null)
    if (nested.length > 0 && depth >= max) return true
    level = nested.flatMap((one) => Object.values(one))
  }
  return false
}
