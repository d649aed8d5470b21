/**
 * What anybody would write who needs nothing but the answer: a Bun.serve without framework, schema, metrics
 * or log, that checks the JSON by hand and computes the same figures in the plain way.
 */

interface Payload {
  readonly numbers: readonly number[]
  readonly text: string
}

Bun.serve({
  port: Number(process.env.PORT),
  hostname: '127.0.0.1',
  development: false,
  async fetch(request) {
    let body: unknown
    try {
      body = await request.json()
    } catch {
      return new Response('not JSON', { status: 400 })
    }
    if (!isPayload(body)) return new Response('not a payload', { status: 400 })
    const start = performance.now()
    const numeric_analysis = analyzeNumbers(body.numbers)
    const text_analysis = analyzeText(body.text)
    const processing_time_ms = Math.round((performance.now() - start) * 100) / 100
    return Response.json({ numeric_analysis, text_analysis, processing_time_ms })
  },
})

function isPayload(body: unknown): body is Payload {
  if (typeof body !== 'object' || body === null || !('numbers' in body) || !('text' in body)) return false
  for (const key in body) if (key !== 'numbers' && key !== 'text') return false
  const { numbers, text } = body
  if (!Array.isArray(numbers) || numbers.length < 1 || numbers.length > 1_000_000) return false
  for (const x of numbers) if (typeof x !== 'number' || !Number.isFinite(x)) return false
  return typeof text === 'string' && text.length >= 1 && text.length <= 1_000_000
}

/** Loops by index: over a typed array `for … of` takes ten times as long here, and bare must not be slow by accident. */
function analyzeNumbers(numbers: readonly number[]) {
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

function analyzeText(text: string) {
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
    if (!endsSentence(text, i, unit)) {
      inSentence = true
    } else if (inSentence) {
      sentences++
      inSentence = false
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

/** As Python's str.split() has it. */
function isWhiteSpace(unit: number): boolean {
  if (unit <= 0x20) return unit === 0x20 || (unit >= 0x09 && unit <= 0x0d) || unit >= 0x1c
  if (unit < 0x80) return false
  if (unit >= 0x2000 && unit <= 0x200a) return true
  return [0x85, 0xa0, 0x1680, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000].includes(unit)
}

function endsSentence(text: string, index: number, unit: number): boolean {
  if (unit === 0x2e) return !(isDigit(text.charCodeAt(index - 1)) && isDigit(text.charCodeAt(index + 1)))
  // ! ? … 。 ！ ？
  return (
    unit === 0x21 || unit === 0x3f || unit === 0x2026 || unit === 0x3002 || unit === 0xff01 || unit === 0xff1f
  )
}

function isDigit(unit: number): boolean {
  return unit >= 0x30 && unit <= 0x39
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xdc00
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit < 0xe000
}
