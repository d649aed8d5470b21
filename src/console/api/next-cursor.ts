/**
 * The cursor of the next page, from the `Link` header of a page.
 *
 * @returns undefined on the last page
 * @example nextCursor('</tasks?limit=20&cursor=abc>; rel="next"') // 'abc'
 */
export function nextCursor(link: string | null): string | undefined {
  const [, target] = /<([^>]*)>\s*;\s*rel="?next"?/.exec(link ?? '') ?? []
  if (target === undefined) return undefined
  return new URL(target, 'http://localhost').searchParams.get('cursor') ?? undefined
}
