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
 * The version in an opaque tag. A version is the same in any coding.
 *
 * @example tagVersion('7-gzip') // '7'
 */
export function tagVersion(opaque: string): string {
  return opaque.replace(/-(?:zstd|gzip)$/, '')
}
