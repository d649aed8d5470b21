import type { TextAnalysis } from '../../src/analysis/text.ts'

/** Where Python 3's `str.split()` splits, as its documentation of `str.isspace` and Unicode's tables have it. */
const WHITE_SPACE = /[\t\n\v\f\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/

function isBlank(piece: string): boolean {
  return piece.split(WHITE_SPACE).join('') === ''
}

/** The contract's definitions one by one, with regular expressions and arrays: slow and plain. */
export function plainTextAnalysis(text: string): TextAnalysis {
  const characters = [...text]
  const sentences = text.replace(/(?<=[0-9])\.(?=[0-9])/g, 'x').split(/[.!?…。！？]/)
  const paragraphs = text.split(/\r\n|\n|\r|\u2028|\u2029/)
  return {
    word_count: text.split(WHITE_SPACE).filter((word) => word !== '').length,
    character_count: characters.length,
    character_count_no_spaces: characters.filter((character) => character !== ' ').length,
    sentence_count: sentences.filter((sentence) => !isBlank(sentence)).length,
    paragraph_count: paragraphs.filter((paragraph) => !isBlank(paragraph)).length,
  }
}
