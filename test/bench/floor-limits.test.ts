import { expect, test } from 'bun:test'
import { overLimit, parseRatios, renderRatios } from '../../bench/floor-limits.ts'

const results = (ratios: Record<string, number>) => ({
  results: Object.entries(ratios).map(([name, median]) => ({ name, ratio: { median }, notes: [] })),
})

test('accepts a ratio at its limit and rejects one above it, with a stricter limit for small', () => {
  const ratios = parseRatios(results({ small: 1.1, medium: 1.15, large: 1.0, data: 0.9, tasks: 1.151 }), [
    'small',
    'medium',
    'large',
    'data',
    'tasks',
  ])
  expect(overLimit(ratios)).toEqual(['tasks'])
  expect(overLimit(parseRatios(results({ small: 1.101 }), ['small']))).toEqual(['small'])
  expect(renderRatios(ratios).split('\n')).toContain('tasks   1.151 of at most 1.15  SLOWER')
})

test('is an error for a row that was not measured or got wrong responses', () => {
  expect(() => parseRatios(results({ small: 1 }), ['small', 'medium'])).toThrow('medium was not measured')
  const rejected = { results: [{ name: 'small', notes: ['after rejected: wrong answer'] }] }
  expect(() => parseRatios(rejected, ['small'])).toThrow(
    'small was not measured: after rejected: wrong answer',
  )
})
