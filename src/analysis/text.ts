/** What is known of a text, named as the service answers it. */
export interface TextAnalysis {
  readonly word_count: number
  readonly character_count: number
  readonly character_count_no_spaces: number
  readonly sentence_count: number
  readonly paragraph_count: number
}

/** What a UTF-16 code unit is to the analysis. Any other letter, digit or mark is ordinary. */
const ORDINARY = 0
const SPACE = 1
const WHITE_SPACE = 2
const LINE_BREAK = 3
const TERMINATOR = 4
const FULL_STOP = 5
const LOW_SURROGATE = 6

/** One look-up tells any code unit's class; a text touches only the lines of the table that its script uses. */
const classes = new Uint8Array(0x10000)
classes[0x20] = SPACE
// The rest of what Python's str.split() splits at: not U+200B, nor U+FEFF.
classes.fill(WHITE_SPACE, 0x09, 0x0e)
classes.fill(WHITE_SPACE, 0x1c, 0x20)
classes.fill(WHITE_SPACE, 0x2000, 0x200b)
for (const unit of [0x85, 0xa0, 0x1680, 0x202f, 0x205f, 0x3000]) classes[unit] = WHITE_SPACE
for (const unit of [0x0a, 0x0d, 0x2028, 0x2029]) classes[unit] = LINE_BREAK
for (const terminator of '!?…。！？') classes[terminator.charCodeAt(0)] = TERMINATOR
classes[0x2e] = FULL_STOP
classes.fill(LOW_SURROGATE, 0xdc00, 0xe000)

/** What the analysis is within: bits of its state. All three set is the usual case, inside a word. */
const IN_WORD = 1
const IN_SENTENCE = 2
const IN_PARAGRAPH = 4
const IN_ALL = IN_WORD | IN_SENTENCE | IN_PARAGRAPH

/**
 * Counts the words, characters, sentences and paragraphs of a text, in one pass and without a copy of any part.
 *
 * - Words are maximal runs without white space; white space is what Python's `str.split()` takes for it.
 * - Characters are code points; a surrogate without its partner counts one. `character_count_no_spaces` leaves
 *   out U+0020 and nothing else.
 * - Sentences are runs with something other than white space in them, ended by `.`, `!`, `?`, `…`, `。`, `！`, `？`
 *   or the end of the text. The ends themselves are no content: `...` is no sentence. A full stop between two
 *   ASCII digits ends nothing: `3.14`.
 * - Paragraphs are the pieces that hold more than white space between line breaks: LF, CR, CR LF, U+2028,
 *   U+2029.
 *
 * Cost: linear, whatever the text.
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
    let kind = classes[text.charCodeAt(i)]!
    if (kind === ORDINARY && state === IN_ALL) continue
    if (kind === SPACE) {
      spaces++
      state &= ~IN_WORD
      continue
    }
    if (kind === WHITE_SPACE) {
      state &= ~IN_WORD
      continue
    }
    if (kind === LINE_BREAK) {
      state &= ~(IN_WORD | IN_PARAGRAPH)
      continue
    }
    if ((state & IN_WORD) === 0) words++
    if ((state & IN_PARAGRAPH) === 0) paragraphs++
    state |= IN_WORD | IN_PARAGRAPH
    if (kind === LOW_SURROGATE && isHighSurrogate(text.charCodeAt(i - 1))) pairs++
    if (kind === FULL_STOP) kind = isBetweenDigits(text, i) ? ORDINARY : TERMINATOR
    if (kind !== TERMINATOR) {
      state |= IN_SENTENCE
    } else if ((state & IN_SENTENCE) !== 0) {
      sentences++
      state &= ~IN_SENTENCE
    }
  }
  if ((state & IN_SENTENCE) !== 0) sentences++
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
 * The number of code points of a text, as Python's `len` counts: a pair of surrogates is one character, and a
 * surrogate without its partner one as well.
 *
 * @example countCodePoints('a😀') // 2
 */
export function countCodePoints(text: string): number {
  let pairs = 0
  for (let i = 1; i < text.length; i++) {
    if (classes[text.charCodeAt(i)] === LOW_SURROGATE && isHighSurrogate(text.charCodeAt(i - 1))) pairs++
  }
  return text.length - pairs
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xdc00
}

/** Outside the text `charCodeAt` gives NaN, which is no digit. */
function isBetweenDigits(text: string, index: number): boolean {
  return isDigit(text.charCodeAt(index - 1)) && isDigit(text.charCodeAt(index + 1))
}

function isDigit(unit: number): boolean {
  return unit >= 0x30 && unit <= 0x39
}
