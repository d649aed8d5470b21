import { describe, expect, test } from 'bun:test'
import { exactMoments } from '../../bench/exact-moments.ts'
import { analyzeIndependently, checkFigures, checkRejected, invalidBodies } from '../../bench/expected.ts'
import { analyze } from '../../src/analysis/payload.ts'

const numbers = Array.from({ length: 1_000 }, (_, i) => ((i * 7_919) % 1_000) + i / 2 ** 29)
const text = 'Pi is 3.14, see (example.com.) "Yes!"\nNo?'
const responseWith = (change: Record<string, number> = {}) => {
  const expected = analyzeIndependently(numbers, text)
  const body = { ...expected, numeric_analysis: { ...expected.numeric_analysis, ...change } }
  return { status: 200, body: Buffer.from(JSON.stringify(body)) }
}
const check = (change: Record<string, number>, exact: boolean) => () =>
  checkFigures(responseWith(change), analyzeIndependently(numbers, text), exact)

describe('the expected result', () => {
  test('matches the result of Tally, computed by another algorithm, to the last bit', () => {
    expect(analyzeIndependently(numbers, text)).toMatchObject(analyze({ numbers, text }))
  })

  test('rounds moments once', () => {
    expect(exactMoments([1, 2, 3, 4, 5])).toEqual({ mean: 3, standardDeviation: 1.5811388300841898 })
    expect(exactMoments([-0.5, 0.25])).toEqual({ mean: -0.125, standardDeviation: 0.5303300858899106 })
    expect(exactMoments([7])).toEqual({ mean: 7, standardDeviation: 0 })
  })

  test('rejects numbers off the grid', () => {
    expect(() => exactMoments([0.1])).toThrow('0.1 is not on the grid')
  })
})

describe('checkFigures', () => {
  const { mean = 0, median = 0 } = analyzeIndependently(numbers, text).numeric_analysis
  const unit = 2 ** -53 * 512 * 2

  test('allows one unit in the last place for exact sums', () => {
    expect(check({ mean: mean + unit / 2 }, true)).not.toThrow()
    expect(check({ mean: mean + 4 * unit }, true)).toThrow('mean is')
  })

  test('allows the error bound of plain sums and not more', () => {
    expect(check({ mean: mean * (1 + 900 * 2 ** -53) }, false)).not.toThrow()
    expect(check({ mean: mean * (1 + 1_100 * 2 ** -53) }, false)).toThrow('mean is')
  })

  test('requires figures other than sums to match to the last bit', () => {
    expect(check({ median: median * (1 + 2 ** -52) }, false)).toThrow('median is')
  })

  test('rejects a missing figure', () => {
    expect(() =>
      checkFigures({ status: 200, body: Buffer.from('{}') }, analyzeIndependently([1], 'a'), true),
    ).toThrow('count is undefined')
  })

  test('rejects a status other than 200', () => {
    expect(() =>
      checkFigures({ ...responseWith(), status: 500 }, analyzeIndependently([1], 'a'), true),
    ).toThrow('answered 500')
  })
})

describe('checkRejected', () => {
  test('accepts only 400 and 422', () => {
    const [body = ''] = invalidBodies
    for (const status of [400, 422])
      expect(() => checkRejected({ status, body: Buffer.of() }, body)).not.toThrow()
    for (const status of [200, 500])
      expect(() => checkRejected({ status, body: Buffer.of() }, body)).toThrow(
        `answered ${status} to ${body}`,
      )
  })
})
