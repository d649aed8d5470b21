/** The statistics of a text, with the field names of the response. */
export interface TextAnalysis {
  readonly word_count: number
  readonly character_count: number
  readonly character_count_no_spaces: number
  readonly sentence_count: number
  readonly paragraph_count: number
}

/** Classes of UTF-16 code units. Letters, digits and all other marks are ordinary. */
const ordinary = 0
const space = 1
const whiteSpace = 2
const lineBreak = 3
const terminator = 4
const fullStop = 5
const lowSurrogate = 6
const closing = 7

/** The class of every code unit. A text touches only the part of the table that its script uses. */
const classes = new Uint8Array(0x10000)
classes[0x20] = space
// The other separators of Python's str.split(), which exclude U+200B and U+FEFF.
classes.fill(whiteSpace, 0x09, 0x0e)
classes.fill(whiteSpace, 0x1c, 0x20)
classes.fill(whiteSpace, 0x2000, 0x200b)
for (const unit of [0x85, 0xa0, 0x1680, 0x202f, 0x205f, 0x3000]) classes[unit] = whiteSpace
for (const unit of [0x0a, 0x0d, 0x2028, 0x2029]) classes[unit] = lineBreak
for (const mark of '!?…。！？') classes[mark.charCodeAt(0)] = terminator
classes[0x2e] = fullStop
// Unicode closing punctuation (Pe), and all quotes (Pi, Pf, ASCII), because the closing quote depends on the language.
const closingPunctuation =
  '"\')]}»༻༽᚜’”›⁆⁾₎⌉⌋〉❩❫❭❯❱❳❵⟆⟧⟩⟫⟭⟯⦄⦆⦈⦊⦌⦎⦐⦒⦔⦖⦘⧙⧛⧽⸃⸅⸊⸍⸝⸡⸣⸥⸧⸩⹖⹘⹚⹜〉》」』】〕〗〙〛〞〟﴾︘︶︸︺︼︾﹀﹂﹄﹈﹚﹜﹞）］｝｠｣' +
  '«‘‛“‟‹⸂⸄⸉⸌⸜⸠'
for (const mark of closingPunctuation) classes[mark.charCodeAt(0)] = closing
classes.fill(lowSurrogate, 0xdc00, 0xe000)

/** Bits of the state. Within a word, the usual case, all three are set. */
const inWord = 1
const inSentence = 2
const inParagraph = 4
const inAll = inWord | inSentence | inParagraph

/**
 * Counts the words, characters, sentences and paragraphs of a text in one pass, without copying any part of it.
 *
 * - Words are maximal runs without white space, as defined by Python's `str.split()`.
 * - Characters are code points; an unpaired surrogate counts as one. `character_count_no_spaces` excludes only U+0020.
 * - Sentences are runs that contain more than white space and end at `.`, `!`, `?`, `…`, `。`, `！`, `？` or the end of
 *   the text. A full stop ends a sentence only before white space, closing punctuation or the end of the text, so not
 *   within `3.14`, `example.com` and `e.g.`. Terminators are not content, so `...` is not a sentence. Closing
 *   punctuation after them is not content either, so `He said: "Go."` is one sentence.
 * - Paragraphs are the pieces between line breaks (LF, CR, CR LF, U+2028, U+2029) that contain more than white space.
 *
 * Cost: linear for every text.
 *
 * @example
 * analyzeText('Pi is 3.14. Yes.\nNo!')
 * // { word_count: 5, character_count: 20, character_count_no_spaces: 17, sentence_count: 3, paragraph_count: 2 }
 */
export function analyzeText(text: string): TextAnalysis {
  let words = 0
  let pairs = 0
  let spaces = 0
  let sentences = 0
  let paragraphs = 0
  let state = 0
  for (let i = 0; i < text.length; i++) {
    const kind = classes[text.charCodeAt(i)]!
    if (kind === ordinary && state === inAll) continue
    if (kind === space) {
      spaces++
      state &= ~inWord
      continue
    }
    if (kind === whiteSpace) {
      state &= ~inWord
      continue
    }
    if (kind === lineBreak) {
      state &= ~(inWord | inParagraph)
      continue
    }
    if ((state & inWord) === 0) words++
    if ((state & inParagraph) === 0) paragraphs++
    if (kind === ordinary) {
      state = inAll
      continue
    }
    state |= inWord | inParagraph
    if (kind === lowSurrogate) {
      state = inAll
      if (isHighSurrogate(text.charCodeAt(i - 1))) pairs++
    } else if ((state & inSentence) !== 0 && endsSentence(kind, text, i + 1)) {
      sentences++
      state &= ~inSentence
    }
  }
  if ((state & inSentence) !== 0) sentences++
  const characters = text.length - pairs
  return {
    word_count: words,
    character_count: characters,
    character_count_no_spaces: characters - spaces,
    sentence_count: sentences,
    paragraph_count: paragraphs,
  }
}

/**
 * The number of code points of a text, like Python's `len`: a surrogate pair or an unpaired surrogate counts as one.
 *
 * @example countCodePoints('a😀') // 2
 */
export function countCodePoints(text: string): number {
  let pairs = 0
  for (let i = 1; i < text.length; i++) {
    if (classes[text.charCodeAt(i)] === lowSurrogate && isHighSurrogate(text.charCodeAt(i - 1))) pairs++
  }
  return text.length - pairs
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xdc00
}

/** @param next the index of the next character */
function endsSentence(kind: number, text: string, next: number): boolean {
  if (kind !== fullStop || next === text.length) return kind !== closing
  const following = classes[text.charCodeAt(next)]
  return following === space || following === whiteSpace || following === lineBreak || following === closing
}
