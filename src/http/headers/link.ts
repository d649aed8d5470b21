/**
 * A position in a list as clients see it: opaque, so that its content may change.
 *
 * @example encodeCursor('17') // 'cDE3'
 */
export function encodeCursor(position: string): string {
  return Buffer.from(`p${position}`).toString('base64url')
}

/** The position in a cursor; for an invalid cursor the empty string, which no list has issued. */
export function decodeCursor(cursor: string): string {
  const text = Buffer.from(cursor, 'base64url').toString('latin1')
  return text.startsWith('p') ? text.slice(1) : ''
}

/** The Link header (RFC 8288) to the next page; no header after the last page. */
export function nextLink(
  path: string,
  parameters: Readonly<Record<string, string | number | undefined>>,
  next: string | undefined,
): Record<string, string> {
  if (next === undefined) return {}
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(parameters))
    if (value !== undefined) query.set(name, String(value))
  query.set('cursor', encodeCursor(next))
  return { link: `<${path}?${query}>; rel="next"` }
}
