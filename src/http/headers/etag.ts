/** The strong entity tag of a document's version (RFC 9110 §8.8.3). */
export function etagOf(version: string): string {
  return `"${version}"`
}

/**
 * The tag of the same version in a content coding.
 *
 * @example codedTag('"7"', 'gzip') // '"7-gzip"'
 */
export function codedTag(tag: string, coding: string): string {
  return tag.replace(/"$/, `-${coding}"`)
}

/**
 * The versions that an If-Match or If-None-Match header names: `*`, or the strong tags of the list. Weak
 * tags are left out, for If-Match compares strongly and ours are never weak. A version is the same in any coding.
 *
 * @returns undefined without a header
 * @example versionsIn('"a", W/"b"') // ['a']
 */
export function versionsIn(header: string | null): readonly string[] | '*' | undefined {
  if (header === null) return undefined
  if (header.trim() === '*') return '*'
  return [...header.matchAll(/(?:^|,)\s*"([^"]*)"/g)].map(([, tag = '']) =>
    tag.replace(/-(?:zstd|gzip)$/, ''),
  )
}
