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
 * Whether a parsed value nests deeper than `maxDepth` levels. It recurses no deeper than that, and allocates nothing.
 *
 * @example exceedsDepth([[1]], 1) // true
 */
export function exceedsDepth(value: unknown, maxDepth: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (maxDepth === 0) return true
  if (Array.isArray(value)) {
    for (const item of value) if (typeof item === 'object' && exceedsDepth(item, maxDepth - 1)) return true
    return false
  }
  // JSON.parse makes every member an own one, `__proto__` too.
  for (const name in value)
    if (exceedsDepth((value as Record<string, unknown>)[name], maxDepth - 1)) return true
  return false
}
