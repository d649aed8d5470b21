/** The analysis that all JavaScript peers share, so that only their frameworks differ. */

/**
 * Plain sums and a sorted copy. Loops by index, because `for … of` over a typed array takes ten times as long and would
 * make the peers slow by accident.
 */
export function analyzeNumbers(numbers: readonly number[]) {
  const count = numbers.length
  const sorted = Float64Array.from(numbers).sort()
  let sum = 0
  for (let i = 0; i < count; i++) sum += sorted[i]!
  const mean = sum / count
  let squares = 0
  for (let i = 0; i < count; i++) squares += (sorted[i]! - mean) ** 2
  return {
    count,
    minimum: sorted[0]!,
    maximum: sorted[count - 1]!,
    mean,
    median: (sorted[(count - 1) >> 1]! + sorted[count >> 1]!) / 2,
    standard_deviation: count === 1 ? 0 : Math.sqrt(squares / (count - 1)),
  }
}

/** The counts of a text by Tally's rules, unit by unit. */
export function analyzeText(text: string) {
  let words = 0
  let characters = 0
  let spaces = 0
  let sentences = 0
  let paragraphs = 0
  let inWord = false
  let inSentence = false
  let inParagraph = false
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (isLowSurrogate(unit) && isHighSurrogate(text.charCodeAt(i - 1))) continue
    characters++
    if (unit === 0x20) spaces++
    if (isLineBreak(unit)) inParagraph = false
    if (isWhiteSpace(unit)) {
      inWord = false
      continue
    }
    if (!inWord) words++
    inWord = true
    if (!inParagraph) paragraphs++
    inParagraph = true
    if (isTerminator(unit)) {
      if (!inSentence || (unit === 0x2e && !canFollowSentence(text, i + 1))) continue
      sentences++
      inSentence = false
    } else if (!inSentence) {
      inSentence = !isClosing(unit)
    }
  }
  if (inSentence) sentences++
  return {
    word_count: words,
    character_count: characters,
    character_count_no_spaces: characters - spaces,
    sentence_count: sentences,
    paragraph_count: paragraphs,
  }
}

function isLineBreak(unit: number): boolean {
  return unit === 0x0a || unit === 0x0d || unit === 0x2028 || unit === 0x2029
}

/** White space as Python's str.split() defines it. */
function isWhiteSpace(unit: number): boolean {
  if (unit <= 0x20) return unit === 0x20 || (unit >= 0x09 && unit <= 0x0d) || unit >= 0x1c
  if (unit < 0x80) return false
  if (unit >= 0x2000 && unit <= 0x200a) return true
  return [0x85, 0xa0, 0x1680, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000].includes(unit)
}

/** . ! ? … 。 ！ ？ */
function isTerminator(unit: number): boolean {
  if (unit < 0x80) return unit === 0x2e || unit === 0x21 || unit === 0x3f
  return unit === 0x2026 || unit === 0x3002 || unit === 0xff01 || unit === 0xff1f
}

/** A full stop ends a sentence only before white space, closing punctuation or the end of the text. */
function canFollowSentence(text: string, index: number): boolean {
  if (index === text.length) return true
  const unit = text.charCodeAt(index)
  return isWhiteSpace(unit) || isClosing(unit)
}

const closingPunctuation = /[\p{Pe}\p{Pi}\p{Pf}"']/u

function isClosing(unit: number): boolean {
  // " ' ) ] }
  if (unit < 0x80) return unit === 0x22 || unit === 0x27 || unit === 0x29 || unit === 0x5d || unit === 0x7d
  return closingPunctuation.test(String.fromCharCode(unit))
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xdc00
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit < 0xe000
}
