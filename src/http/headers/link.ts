/**
 * A point in a list as clients see it: opaque, so that what it holds may change.
 *
 * @example cursorOf('17') // 'cDE3'
 */
export function cursorOf(point: string): string {
  return Buffer.from(`p${point}`).toString('base64url')
}

/** The point in a cursor. What is not one of ours comes out as something that no list has given. */
export function pointIn(cursor: string): string {
  const text = Buffer.from(cursor, 'base64url').toString('latin1')
  return text.startsWith('p') ? text.slice(1) : ''
}

/** Where the next page is, as a Link header (RFC 8288); none after the last page. */
export function linkTo(
  path: string,
  parameters: Readonly<Record<string, string | number | undefined>>,
  next: string | undefined,
): Record<string, string> {
  if (next === undefined) return {}
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(parameters))
    if (value !== undefined) query.set(name, String(value))
  query.set('cursor', cursorOf(next))
  return { link: `<${path}?${query}>; rel="next"` }
}
