const printableAscii = /^[\x20-\x7e]*$/
/** Control and format characters, and separators of lines and paragraphs. */
const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu

/**
 * Escapes what a terminal or a viewer would obey rather than show, as JSON does: control characters (U+009B begins an escape
 * sequence), and format characters, among them those that reverse the direction of what follows. JSON text stays the same
 * value.
 *
 * @example escapeUnprintable('"a\u202eb"') // '"a\\u202eb"'
 */
export function escapeUnprintable(text: string): string {
  if (printableAscii.test(text)) return text
  return text.replace(unprintable, (character) =>
    [...Array(character.length).keys()]
      .map((i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`)
      .join(''),
  )
}
