import type { TextAnalysis } from '../../src/analysis/text.ts'

/** The separators of Python 3's `str.split()`, from the documentation of `str.isspace` and Unicode's tables. */
const whiteSpace = /[\t\n\v\f\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/

/** Unicode closing punctuation and all quotes. */
const closing = `\\p{Pe}\\p{Pi}\\p{Pf}"'`
const endOfSentence = new RegExp(`[!?…。！？]|\\.(?=[${closing}]|${whiteSpace.source}|$)`, 'u')
/** Content of a sentence: neither a terminator nor closing punctuation. */
const contentOfSentence = new RegExp(`[^.!?…。！？${closing}]`, 'u')

function isBlank(piece: string): boolean {
  return piece.split(whiteSpace).join('') === ''
}

/** A slow and simple reference implementation with regular expressions and arrays. */
export function plainTextAnalysis(text: string): TextAnalysis {
  const characters = [...text]
  const sentences = text.split(endOfSentence)
  const paragraphs = text.split(/\r\n|\n|\r|\u2028|\u2029/)
  return {
    word_count: text.split(whiteSpace).filter((word) => word !== '').length,
    character_count: characters.length,
    character_count_no_spaces: characters.filter((character) => character !== ' ').length,
    sentence_count: sentences.filter((sentence) =>
      contentOfSentence.test(sentence.split(whiteSpace).join('')),
    ).length,
    paragraph_count: paragraphs.filter((paragraph) => !isBlank(paragraph)).length,
  }
}
