import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { analyzeText, countCodePoints } from '../../src/analysis/text.ts'
import { plainTextAnalysis } from './text-reference.ts'

/** All characters with a meaning for the analysis, so that random texts contain many of them. */
const pieces = fc.constantFrom(
  ...[
    'a',
    'word',
    '7',
    '3.14',
    '.',
    '..',
    '!',
    '?',
    '…',
    '。',
    '"',
    "'",
    ')',
    '(',
    '”',
    '」',
    '.a',
    '！',
    '？',
    ' ',
    '  ',
    '\t',
    '\n',
    '\r',
    '\r\n',
    '\v',
  ],
  ...[
    '\u2028',
    '\u2029',
    '\u0085',
    '\u00a0',
    '\u3000',
    '\u200b',
    '\ufeff',
    '😀',
    'é',
    'e\u0301',
    '٣',
    '\ud83d',
    '\ude00',
  ],
)

const texts: Record<string, fc.Arbitrary<string>> = {
  'random sequences of meaningful pieces': fc
    .array(pieces, { maxLength: 60, size: 'max' })
    .map((list) => list.join('')),
  'any code units, with unpaired surrogates': fc
    .array(fc.oneof(fc.integer({ min: 0, max: 0xffff }), fc.integer({ min: 0xd700, max: 0xe0ff })), {
      size: 'medium',
    })
    .map((units) => String.fromCharCode(...units)),
  'any Unicode text': fc.string({ unit: 'binary', size: 'medium' }),
  'ASCII text': fc.string({ unit: 'binary-ascii', size: 'medium' }),
}

describe('matches the plain definitions for', () => {
  for (const [kind, arbitrary] of Object.entries(texts)) {
    test(kind, () => {
      fc.assert(
        fc.property(arbitrary, (text) => {
          expect(analyzeText(text)).toEqual(plainTextAnalysis(text))
          expect(countCodePoints(text)).toBe([...text].length)
        }),
        { numRuns: 500 },
      )
    })
  }

  test('every code unit, between letters and between line breaks', () => {
    for (let unit = 0; unit <= 0xffff; unit++) {
      const text = `a${String.fromCharCode(unit)}b\n${String.fromCharCode(unit)}\n7${String.fromCharCode(unit)}7`
      const plain = plainTextAnalysis(text)
      const result = analyzeText(text)
      if (!Bun.deepEquals(result, plain)) expect({ unit, ...result }).toEqual({ unit, ...plain })
    }
  })
})

function counts(text: string): number[] {
  const { word_count, character_count, character_count_no_spaces, sentence_count, paragraph_count } =
    analyzeText(text)
  return [word_count, character_count, character_count_no_spaces, sentence_count, paragraph_count]
}

test('counts 4 words, 24 characters, 21 without spaces, 1 sentence, 1 paragraph in the example', () => {
  expect(analyzeText('Sample text for analysis')).toEqual({
    word_count: 4,
    character_count: 24,
    character_count_no_spaces: 21,
    sentence_count: 1,
    paragraph_count: 1,
  })
})

test('an empty or blank text has no words, sentences or paragraphs', () => {
  expect(counts('')).toEqual([0, 0, 0, 0, 0])
  expect(counts(' ')).toEqual([0, 1, 0, 0, 0])
  expect(counts(' \t\r\n\u3000')).toEqual([0, 5, 4, 0, 0])
})

describe('words', () => {
  test('are separated by white space only', () => {
    expect(analyzeText('one\ttwo\u00a0three\u2003four\u3000five\x1fsix').word_count).toBe(6)
    expect(analyzeText('zero\u200bwidth and\ufeffmark').word_count).toBe(2)
    expect(analyzeText('  led and trailed  ').word_count).toBe(3)
  })

  test('may consist of punctuation', () => {
    expect(analyzeText('yes - no ...').word_count).toBe(4)
  })
})

describe('characters', () => {
  test('are code points', () => {
    expect(counts('😀')).toEqual([1, 1, 1, 1, 1])
    expect(counts('👩‍👩‍👧 e\u0301')).toEqual([2, 8, 7, 1, 1])
  })

  test('include unpaired surrogates', () => {
    expect(analyzeText('\ud83d').character_count).toBe(1)
    expect(analyzeText('\ude00\ud83d').character_count).toBe(2)
    expect(analyzeText('\ud83d\ud83d\ude00\ude00').character_count).toBe(3)
    expect(countCodePoints('\ude00\ud83d\ude00')).toBe(2)
  })

  test('without spaces excludes only U+0020', () => {
    expect(analyzeText('a b\tc\u00a0d\n').character_count_no_spaces).toBe(7)
  })
})

describe('sentences', () => {
  for (const [text, sentences] of [
    ['Pi is 3.14. Yes.', 2],
    ['Version 1.2.3 is out', 1],
    ['In 1999. 2000 came', 2],
    ['It costs 5.', 1],
    ['.5 and 5.', 1],
    ['See example.com for details.', 1],
    ['See example.com. Then go on.', 2],
    ['Mail a.b@example.co.uk, e.g.today, at 10.30.', 1],
    ['The U.S.A team won.', 1],
    ['A.B.C. is a name', 2],
    ['He said "Go." Then he left.', 2],
    ['He said: "Go."', 1],
    ["'Yes.' 'No.'", 2],
    ['(It works.)', 1],
    ['(It works.) [So it does!] {Really?}', 3],
    ['»Ja.« “.” a', 2],
    ['„Ja.“ «Oui.» ‘Yes.’ “No.”', 4],
    ['「はい。」「いいえ。」', 2],
    ['Wait.)(again', 2],
    ['etc., and so on', 1],
    ['etc.; and so on', 1],
    ['Stop.\nGo.\u3000On.\u2028Off.', 4],
    ['The end.\u200b', 1],
    ['.)', 0],
    ['")"', 0],
    ['") a', 1],
    ['a.', 1],
    ['a.b', 1],
    ['a..b', 1],
    ['a.!b', 2],
    ['...', 0],
    ['Hi... there', 2],
    ['Hi… there', 2],
    ['What?! No!', 2],
    ['Wait. . . now', 2],
    ['你好。再见！真的？', 3],
    ['3!4', 2],
    ['No end', 1],
    ['One line\nstill the same sentence.', 1],
  ] as const) {
    test(`${JSON.stringify(text)} has ${sentences}`, () => {
      expect(analyzeText(text).sentence_count).toBe(sentences)
    })
  }
})

describe('paragraphs', () => {
  for (const [text, paragraphs] of [
    ['one\ntwo\r\nthree\rfour\u2028five\u2029six', 6],
    ['one\n\n\n \t\ntwo', 2],
    ['\n\none\n', 1],
    ['one\vtwo\ftwo\x85two', 1],
  ] as const) {
    test(`${JSON.stringify(text)} has ${paragraphs}`, () => {
      expect(analyzeText(text).paragraph_count).toBe(paragraphs)
    })
  }
})
