import { describe, expect, test } from 'bun:test'
import { problemOf } from '../../load/answer.ts'
import { makeCases, sizes } from '../../load/payloads.ts'
import { analyze, payloadSchema } from '../../src/analysis/payload.ts'
import { rightAnswer } from './right-answer.ts'

const schema = payloadSchema({ maxNumbers: 1_000_000, maxTextLength: 1_000_000 })

describe('payloads', () => {
  const cases = sizes.map((size) => [size, makeCases(1, size)] as const)

  test('a seed determines the payloads', () => {
    expect(makeCases(7, 'small')).toEqual(makeCases(7, 'small'))
    expect(makeCases(7, 'small')[0]?.body).not.toBe(makeCases(8, 'small')[0]?.body)
  })

  test.each(cases)('size %s is valid, and its analysis matches the expected values', (_, made) => {
    for (const { body, expected } of made) {
      const payload = schema.parse(JSON.parse(body))
      const summary = { ...analyze(payload), processing_time_ms: 0 }
      expect(problemOf(JSON.stringify(summary), expected)).toBeNull()
    }
  })

  test('sizes match their names', () => {
    const bytes = new Map(cases.map(([size, [first]]) => [size, Buffer.byteLength(first?.body ?? '')]))
    expect(bytes.get('small')).toBeLessThan(4_000)
    expect(bytes.get('medium')).toBeWithin(20_000, 60_000)
    expect(bytes.get('1mb')).toBeWithin(900_000, 1_300_000)
    expect(bytes.get('10mb')).toBeWithin(7_000_000, 11_000_000)
  })
})

describe('problemOf', () => {
  const [payload] = makeCases(1, 'small')
  if (!payload) throw new Error('no payload')
  const { expected } = payload
  const correct = rightAnswer(expected)

  test('returns null for a correct body', () => {
    expect(problemOf(JSON.stringify(correct), expected)).toBeNull()
  })

  test.each([
    ['', 'empty body'],
    ['{"numeric_analysis":', 'not JSON'],
    ['[]', 'not a JSON object'],
    ['null', 'not a JSON object'],
    ['{}', 'no numeric_analysis'],
    ['{"numeric_analysis":{}}', 'no text_analysis'],
  ])('%p: %s', (body, problem) => {
    expect(problemOf(body, expected)).toBe(problem)
  })

  const numbers = [
    ...Object.keys(correct.numeric_analysis).map((key) => ['numeric_analysis', key] as const),
    ...Object.keys(correct.text_analysis).map((key) => ['text_analysis', key] as const),
  ]

  test.each(numbers)('finds a wrong, missing or non-numeric %s.%s', (part, key) => {
    const value = Number(Object.entries(correct[part]).find(([name]) => name === key)?.[1])
    for (const wrong of [value * (1 + 1e-13) + 1e-300, value + 1, undefined, null, String(value)]) {
      if (wrong === value) continue
      const body = JSON.stringify({ ...correct, [part]: { ...correct[part], [key]: wrong } })
      expect(problemOf(body, expected)).toBe(`wrong ${part}.${key}`)
    }
  })

  test.each([-1, null, '0.1'])('rejects processing_time_ms %p', (time) => {
    const body = JSON.stringify({ ...correct, processing_time_ms: time })
    expect(problemOf(body, expected)).toBe('wrong processing_time_ms')
  })

  test('accepts an error of two units in the last place as rounding', () => {
    const mean = correct.numeric_analysis.mean * (1 + 2 * Number.EPSILON)
    const body = JSON.stringify({ ...correct, numeric_analysis: { ...correct.numeric_analysis, mean } })
    expect(problemOf(body, expected)).toBeNull()
  })
})
