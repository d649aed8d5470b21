import { describe, expect, test } from 'bun:test'
import { describeProgress, type Step } from '../../tools/progress.ts'

const step = (label: string, seconds: number): Step => ({ label, ms: seconds * 1_000 })
const last = [step('build', 90), step('small', 60), step('large', 30)]

describe('the estimate', () => {
  test('is the rest of the last run, from the present step on', () => {
    expect(describeProgress([step('build', 70)], step('small', 20), last)).toBe(
      'small, 1:30, about 1:10 left',
    )
  })

  test('is the rest of the following steps when a step takes longer than in the last run', () => {
    expect(describeProgress([], step('build', 200), last)).toBe('build, 3:20, about 1:30 left')
  })

  test('is the rest of the whole last run in a step that it did not have', () => {
    expect(describeProgress([step('build', 70)], step('other', 20), last)).toBe(
      'other, 1:30, about 1:30 left',
    )
  })

  test('of a first run comes from its finished steps if they take about the same time', () => {
    const [a, b] = [step('a', 60), step('b', 60)]
    expect(describeProgress([], step('a', 30), [], 4)).toBe('1/4 a, 0:30')
    expect(describeProgress([a, b], step('c', 20), [], 4)).toBe('3/4 c, 2:20, about 1:40 left')
  })

  test('of another first run is absent', () => {
    expect(describeProgress([step('a', 60)], step('b', 2), [])).toBe('b, 1:02')
  })
})
