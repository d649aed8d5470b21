import { FieldScanner } from './field-scanner.ts'

/** A media type as `Content-Type` names it (RFC 9110 §8.3.1). */
export interface MediaType {
  /** Type and subtype, in lower case. */
  readonly essence: string
  /** Names in lower case; of a repeated name the first value. */
  readonly parameters: ReadonlyMap<string, string>
}

/**
 * Parses a media type by the grammar of RFC 9110 §8.3.1 and §5.6.6: parameters may have quoted values, and may be empty
 * between semicolons. White space around `=` is read as well, although senders must not write it.
 *
 * @returns undefined for anything else
 * @example parseMediaType('Application/JSON; charset="utf-8";')?.essence // 'application/json'
 */
export function parseMediaType(value: string): MediaType | undefined {
  const scanner = new FieldScanner(value)
  scanner.skipSpace()
  const type = scanner.token()
  const subtype = type !== undefined && scanner.take('/') ? scanner.token() : undefined
  if (subtype === undefined) return undefined
  const parameters = new Map<string, string>()
  for (;;) {
    scanner.skipSpace()
    if (scanner.isAtEnd) return { essence: `${type}/${subtype}`.toLowerCase(), parameters }
    if (!scanner.take(';')) return undefined
    scanner.skipSpace()
    const name = scanner.token()?.toLowerCase()
    if (name === undefined) continue
    const parameterValue = parseParameterValue(scanner)
    if (parameterValue === undefined) return undefined
    if (!parameters.has(name)) parameters.set(name, parameterValue)
  }
}

function parseParameterValue(scanner: FieldScanner): string | undefined {
  scanner.skipSpace()
  if (!scanner.take('=')) return undefined
  scanner.skipSpace()
  return scanner.token() ?? scanner.quotedString()
}

/** `application/json`, or a type that is JSON by its suffix (RFC 6839 §3.1). */
const jsonEssence = /^application\/(?:.+\+)?json$/
/** Names of UTF-8, and of ASCII, which is a part of it. */
const utf8Names: ReadonlySet<string> = new Set(['utf-8', 'utf8', 'us-ascii', 'ascii'])
/** The usual values, so that most requests need no parser. */
const commonJsonTypes: ReadonlySet<string> = new Set(
  ['utf-8', 'UTF-8'].flatMap((name) => [
    `application/json; charset=${name}`,
    `application/json;charset=${name}`,
  ]),
)

/**
 * Whether a Content-Type is JSON in UTF-8. Parameters other than `charset` do not matter (RFC 8259 §11 defines none), and
 * another charset announces bytes that the service cannot read.
 */
export function isJsonInUtf8(value: string): boolean {
  if (value === 'application/json' || commonJsonTypes.has(value)) return true
  const mediaType = parseMediaType(value)
  if (mediaType === undefined || !jsonEssence.test(mediaType.essence)) return false
  const charset = mediaType.parameters.get('charset')
  return charset === undefined || utf8Names.has(charset.toLowerCase())
}
