/** The strong entity tag of a document's version (RFC 9110 §8.8.3). */
export function formatEtag(version: string): string {
  return `"${version}"`
}

/**
 * The tag of the same version in a content coding.
 *
 * @example withCoding('"7"', 'gzip') // '"7-gzip"'
 */
export function withCoding(tag: string, coding: string): string {
  return tag.replace(/"$/, `-${coding}"`)
}

/**
 * Parses If-Match or If-None-Match: `*`, or the versions of the strong tags in the list. Weak tags are left out, because
 * If-Match compares strongly and ours are never weak. A version is the same in any coding.
 *
 * @returns undefined without a header
 * @example parseEtags('"a", W/"b"') // ['a']
 */
export function parseEtags(header: string | undefined): readonly string[] | '*' | undefined {
  if (header === undefined) return undefined
  if (header.trim() === '*') return '*'
  return [...header.matchAll(/(?:^|,)\s*"([^"]*)"/g)].map(([, tag = '']) =>
    tag.replace(/-(?:zstd|gzip)$/, ''),
  )
}
