const printableAscii = /^[\x20-\x7e]*$/
/** Control and format characters, and separators of lines and paragraphs. */
const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu

/**
 * Escapes characters that a terminal or a viewer would execute instead of display, in JSON notation: control characters
 * (U+009B begins an escape sequence) and format characters, such as those that reverse the text direction. A JSON text
 * keeps its value.
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
