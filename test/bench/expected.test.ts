import { describe, expect, test } from 'bun:test'
import { exactMoments } from '../../bench/exact-moments.ts'
import { analyzeApart, checkFigures, checkRefused, wrongBodies } from '../../bench/expected.ts'
import { analyze } from '../../src/analysis/payload.ts'

const numbers = Array.from({ length: 1_000 }, (_, i) => ((i * 7_919) % 1_000) + i / 2 ** 29)
const text = 'Pi is 3.14, see (example.com.) "Yes!"\nNo?'
const answer = (change: Record<string, number> = {}) => {
  const expected = analyzeApart(numbers, text)
  const body = { ...expected, numeric_analysis: { ...expected.numeric_analysis, ...change } }
  return { status: 200, body: Buffer.from(JSON.stringify(body)) }
}
const check = (change: Record<string, number>, exact: boolean) => () =>
  checkFigures(answer(change), analyzeApart(numbers, text), exact)

describe('what is right to answer', () => {
  test('agrees with what Tally computes in another way, to the last bit', () => {
    expect(analyzeApart(numbers, text)).toMatchObject(analyze({ numbers, text }))
  })

  test('moments are rounded once', () => {
    expect(exactMoments([1, 2, 3, 4, 5])).toEqual({ mean: 3, standardDeviation: 1.5811388300841898 })
    expect(exactMoments([-0.5, 0.25])).toEqual({ mean: -0.125, standardDeviation: 0.5303300858899106 })
    expect(exactMoments([7])).toEqual({ mean: 7, standardDeviation: 0 })
  })

  test('numbers off the grid are refused rather than rounded', () => {
    expect(() => exactMoments([0.1])).toThrow('0.1 is not on the grid')
  })
})

describe('an answer', () => {
  const { mean = 0, median = 0 } = analyzeApart(numbers, text).numeric_analysis
  const unit = 2 ** -53 * 512 * 2

  test('with exact sums may be off by one unit in the last place', () => {
    expect(check({ mean: mean + unit / 2 }, true)).not.toThrow()
    expect(check({ mean: mean + 4 * unit }, true)).toThrow('mean is')
  })

  test('with plain sums may be off by what plain sums lose, and no more', () => {
    expect(check({ mean: mean * (1 + 900 * 2 ** -53) }, false)).not.toThrow()
    expect(check({ mean: mean * (1 + 1_100 * 2 ** -53) }, false)).toThrow('mean is')
  })

  test('must have every figure that is no sum right to the last bit', () => {
    expect(check({ median: median * (1 + 2 ** -52) }, false)).toThrow('median is')
  })

  test('must leave nothing out', () => {
    expect(() =>
      checkFigures({ status: 200, body: Buffer.from('{}') }, analyzeApart([1], 'a'), true),
    ).toThrow('count is undefined')
  })

  test('with another status is wrong', () => {
    expect(() => checkFigures({ ...answer(), status: 500 }, analyzeApart([1], 'a'), true)).toThrow(
      'answered 500',
    )
  })
})

describe('a wrong body', () => {
  test('must be refused by 400 or 422', () => {
    const [body = ''] = wrongBodies
    for (const status of [400, 422])
      expect(() => checkRefused({ status, body: Buffer.of() }, body)).not.toThrow()
    for (const status of [200, 500])
      expect(() => checkRefused({ status, body: Buffer.of() }, body)).toThrow(`answered ${status} to ${body}`)
  })
})
