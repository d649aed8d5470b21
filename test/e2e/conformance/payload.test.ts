import { describe, expect, test } from 'bun:test'
import { ask, maxNumbers } from './service.ts'
import { testUnless } from './test-unless.ts'

interface Numeric {
  readonly count: number
  readonly minimum: number
  readonly maximum: number
  readonly mean: number
  readonly median: number
  readonly standard_deviation: number
}

interface Text {
  readonly word_count: number
  readonly character_count: number
  readonly character_count_no_spaces: number
  readonly sentence_count: number
  readonly paragraph_count: number
}

interface Summary {
  readonly numeric_analysis: Numeric
  readonly text_analysis: Text
  readonly processing_time_ms: number
}

async function analyze(payload: { numbers: readonly number[]; text: string } | string): Promise<Summary> {
  const answer = await ask(
    'POST',
    '/payload',
    typeof payload === 'string' ? { body: payload } : { json: payload },
  )
  expect({ status: answer.status, body: answer.status === 200 ? '' : answer.text }).toEqual({
    status: 200,
    body: '',
  })
  return answer.json<Summary>()
}

const analyzeNumbers = async (numbers: readonly number[]): Promise<Numeric> =>
  (await analyze({ numbers, text: 'a' })).numeric_analysis

const analyzeText = async (text: string): Promise<Text> =>
  (await analyze({ numbers: [1], text })).text_analysis

describe('POST /payload', () => {
  test('responds with the statistics of five numbers and a sample text', async () => {
    const { processing_time_ms, ...summary } = await analyze({
      numbers: [1, 2, 3, 4, 5],
      text: 'Sample text for analysis',
    })
    expect(summary).toEqual({
      numeric_analysis: {
        count: 5,
        minimum: 1,
        maximum: 5,
        mean: 3,
        median: 3,
        standard_deviation: 1.5811388300841898,
      },
      text_analysis: {
        word_count: 4,
        character_count: 24,
        character_count_no_spaces: 21,
        sentence_count: 1,
        paragraph_count: 1,
      },
    })
  })

  test('responds in JSON', async () => {
    const { headers } = await ask('POST', '/payload', { json: { numbers: [1], text: 'a' } })
    expect(headers.get('content-type')).toStartWith('application/json')
  })

  test('reports the duration in milliseconds with at most two decimals', async () => {
    const { processing_time_ms: ms } = await analyze({ numbers: [1, 2], text: 'a b' })
    expect(ms).toBeGreaterThanOrEqual(0)
    expect(Math.round(ms * 100) / 100).toBe(ms)
  })

  test('responds in the short form with ?format=compact', async () => {
    const json = { numbers: [1, 2, 3, 4, 5], text: 'Sample text for analysis' }
    expect((await ask('POST', '/payload?format=compact', { json })).json()).toEqual({
      numeric: { min: 1, max: 5, mean: 3, median: 3, stddev: 1.5811388300841898 },
      text: { word_count: 4, char_count: 24 },
    } as object)
  })

  test('keeps no state: the same payload gets the same statistics after other requests', async () => {
    const payload = { numbers: [3, 1, 2], text: 'One. Two.' }
    const first = await analyze(payload)
    await analyze({ numbers: [1e9], text: 'something else' })
    const second = await analyze(payload)
    expect({ ...second, processing_time_ms: 0 }).toEqual({ ...first, processing_time_ms: 0 })
  })

  test('answers each of several simultaneous requests with its own statistics', async () => {
    const results = await Promise.all(
      Array.from({ length: 50 }, (_, i) => analyze({ numbers: [i, i + 2], text: 'x'.repeat(i + 1) })),
    )
    expect(results.map(({ numeric_analysis: { mean } }) => mean)).toEqual(
      Array.from({ length: 50 }, (_, i) => i + 1),
    )
    expect(results.map(({ text_analysis }) => text_analysis.character_count)).toEqual(
      Array.from({ length: 50 }, (_, i) => i + 1),
    )
  })

  test('accepts members in any order and white space between them', async () => {
    const { numeric_analysis, text_analysis } = await analyze(
      '\r\n{\t"text" : "a b" ,\n "numbers" : [ 1 , 2 ] }\n',
    )
    expect({ mean: numeric_analysis.mean, words: text_analysis.word_count }).toEqual({ mean: 1.5, words: 2 })
  })

  for (const type of ['application/json; charset=utf-8', 'application/vnd.api+json', 'Application/JSON'])
    test(`accepts a body of the type ${type}`, async () => {
      const headers = { 'content-type': type }
      const { status } = await ask('POST', '/payload', { json: { numbers: [1], text: 'a' }, headers })
      expect(status).toBe(200)
    })

  test('accepts a chunked body without a length', async () => {
    const pieces = ['{"numbers":[1,2,', '3],"te', 'xt":"a b"}']
    const body = new ReadableStream({
      pull(controller) {
        const piece = pieces.shift()
        if (piece === undefined) controller.close()
        else controller.enqueue(new TextEncoder().encode(piece))
      },
    })
    const answer = await ask('POST', '/payload', { body })
    expect(answer.status).toBe(200)
    expect(answer.json<Summary>().numeric_analysis.mean).toBe(2)
  })
})

describe('numeric_analysis', () => {
  test('counts the numbers', async () => {
    expect((await analyzeNumbers([5, 5, 5, 1])).count).toBe(4)
  })

  test('finds minimum and maximum wherever they are', async () => {
    expect(await analyzeNumbers([3, -7.5, 12, 0])).toMatchObject({ minimum: -7.5, maximum: 12 })
    expect(await analyzeNumbers([12, 0, 3, -7.5])).toMatchObject({ minimum: -7.5, maximum: 12 })
  })

  test('reports the middle number as the median of an odd count, in any order', async () => {
    expect((await analyzeNumbers([9, 1, 5])).median).toBe(5)
    expect((await analyzeNumbers([5, 1, 4, 2, 3])).median).toBe(3)
  })

  test('reports the mean of the two middle numbers as the median of an even count', async () => {
    expect((await analyzeNumbers([4, 1, 3, 2])).median).toBe(2.5)
    expect((await analyzeNumbers([1, 2])).median).toBe(1.5)
  })

  test('returns a single number as minimum, maximum, mean and median, with a standard deviation of 0', async () => {
    expect(await analyzeNumbers([42.5])).toEqual({
      count: 1,
      minimum: 42.5,
      maximum: 42.5,
      mean: 42.5,
      median: 42.5,
      standard_deviation: 0,
    })
  })

  test('has the standard deviation of a sample (n - 1), not rounded', async () => {
    expect((await analyzeNumbers([1, 2, 3, 4, 5])).standard_deviation).toBe(1.5811388300841898)
    expect((await analyzeNumbers([2, 4, 4, 4, 5, 5, 7, 9])).standard_deviation).toBe(2.138089935299395)
    expect((await analyzeNumbers([1, 3])).standard_deviation).toBe(Math.SQRT2)
  })

  test('has a standard deviation of 0 for equal numbers', async () => {
    expect((await analyzeNumbers([0.1, 0.1, 0.1])).standard_deviation).toBe(0)
  })

  test('accepts negative numbers, fractions, exponents and zeros', async () => {
    const { numeric_analysis } = await analyze('{"numbers":[-1.5,2e3,0,-0.0,1E-2],"text":"a"}')
    expect(numeric_analysis).toMatchObject({
      count: 5,
      minimum: -1.5,
      maximum: 2000,
      mean: 399.702,
      median: 0,
    })
  })

  test('is exact: the mean of ten 0.1 is 0.1, and their standard deviation is 0', async () => {
    const tenths = await analyzeNumbers(Array(10).fill(0.1))
    expect({ mean: tenths.mean, deviation: tenths.standard_deviation }).toEqual({ mean: 0.1, deviation: 0 })
  })

  test('is exact for numbers that cancel each other', async () => {
    expect((await analyzeNumbers([1e16, 1, -1e16])).mean).toBe(1 / 3)
    expect((await analyzeNumbers([1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16])).standard_deviation).toBe(
      Math.sqrt(30),
    )
  })

  test('does not overflow: the mean of two 1e308 is 1e308', async () => {
    expect(await analyzeNumbers([1e308, 1e308])).toMatchObject({
      mean: 1e308,
      median: 1e308,
      standard_deviation: 0,
    })
  })

  test('reads each number as the nearest double', async () => {
    const { numeric_analysis } = await analyze(
      '{"numbers":[9007199254740993,0.1000000000000000055511151231257827,5e-324],"text":"a"}',
    )
    expect(numeric_analysis).toMatchObject({ minimum: 5e-324, median: 0.1, maximum: 9007199254740992 })
  })

  test('is right for 10,000 numbers in any order', async () => {
    const numbers = Array.from({ length: 10_000 }, (_, i) => (i * 7_919) % 10_000)
    expect(await analyzeNumbers(numbers)).toEqual({
      count: 10_000,
      minimum: 0,
      maximum: 9_999,
      mean: 4_999.5,
      median: 4_999.5,
      standard_deviation: 2886.8956799071675,
    })
  })

  const few = maxNumbers < 100_000 ? `at most ${maxNumbers} numbers are accepted` : undefined
  testUnless(few, 'is right for a body of half a megabyte', async () => {
    const numbers = Array.from({ length: 100_000 }, (_, i) => (i * 7_919) % 100_000)
    expect(await analyzeNumbers(numbers)).toMatchObject({
      count: 100_000,
      minimum: 0,
      maximum: 99_999,
      mean: 49_999.5,
      median: 49_999.5,
      standard_deviation: 28867.657796687745,
    })
  })
})

describe('text_analysis', () => {
  test('counts the runs between white space as words', async () => {
    expect((await analyzeText("don't stop")).word_count).toBe(2)
    expect((await analyzeText('  a  b\tc\nd\u00a0e\u3000f  ')).word_count).toBe(6)
    expect((await analyzeText('well-known')).word_count).toBe(1)
  })

  test('counts characters as code points', async () => {
    expect((await analyzeText('Sample text for analysis')).character_count).toBe(24)
    expect((await analyzeText('😀')).character_count).toBe(1)
    expect((await analyzeText('e\u0301')).character_count).toBe(2)
    expect((await analyzeText('naïve 東京')).character_count).toBe(8)
    const { text_analysis } = await analyze('{"numbers":[1],"text":"\\ud83d\\ude00\\u00e9"}')
    expect(text_analysis.character_count).toBe(2)
  })

  test('excludes only spaces from character_count_no_spaces', async () => {
    expect((await analyzeText('a b\tc\nd')).character_count_no_spaces).toBe(6)
    expect((await analyzeText('   ')).character_count_no_spaces).toBe(0)
  })

  test('ends a sentence at a full stop, an exclamation mark, a question mark, an ellipsis', async () => {
    expect((await analyzeText('One. Two! Three? Four…')).sentence_count).toBe(4)
    expect((await analyzeText('東京。大阪！京都？')).sentence_count).toBe(3)
  })

  test('counts a sentence without a final mark, and none between marks', async () => {
    expect((await analyzeText('No full stop here')).sentence_count).toBe(1)
    expect((await analyzeText('One. Two')).sentence_count).toBe(2)
    expect((await analyzeText('Really?! Yes...')).sentence_count).toBe(2)
    expect((await analyzeText('...')).sentence_count).toBe(0)
  })

  test('does not end a sentence within a number', async () => {
    expect((await analyzeText('Pi is 3.14 or so.')).sentence_count).toBe(1)
  })

  test('counts paragraphs as the lines that are not blank', async () => {
    expect((await analyzeText('One line')).paragraph_count).toBe(1)
    expect((await analyzeText('First\nSecond\n\n \nThird\n')).paragraph_count).toBe(3)
    expect((await analyzeText('First\r\nSecond')).paragraph_count).toBe(2)
  })

  test('accepts a text of only white space: no words, no sentences, no paragraphs', async () => {
    expect(await analyzeText(' \n\t ')).toEqual({
      word_count: 0,
      character_count: 4,
      character_count_no_spaces: 2,
      sentence_count: 0,
      paragraph_count: 0,
    })
  })
})
