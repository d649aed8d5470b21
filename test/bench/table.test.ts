import { describe, expect, test } from 'bun:test'
import { judge } from '../../bench/goals.ts'
import { goalTable, startTable, table } from '../../bench/table.ts'
import { reportOf, row } from './report.ts'

describe('a table of targets', () => {
  test('aligns its columns and tells each figure in the unit that suits it', () => {
    const [title, head, bare, tally] = table('small', [row('bare', 1), row('tally', 200)]).split('\n')
    expect(title).toBe('small')
    expect(bare).toMatch(/^bare +10\.0 µs +1\.00 +1\.00–1\.00 +100,000 +1\.00 ms +2\.00 ms +90 % +50 %$/)
    expect(tally).toMatch(/^tally +2\.00 ms +200\.00 /)
    expect(bare?.length).toBe(head!.length)
  })

  test('names a rejected target with the reason, without figures', () => {
    const text = table('small', [row('bare', 1), { target: 'axum', notes: [], rejected: 'mean is 3' }])
    expect(text).toContain('\naxum rejected: mean is 3\n')
    expect(text.match(/axum/g)).toHaveLength(1)
  })

  test('tells what happened beside the figures', () => {
    const text = table('small', [{ ...row('constant', 1), notes: ['the window was repeated'] }])
    expect(text).toEndWith('\nconstant: the window was repeated\n')
  })
})

test('a missed goal cannot be overlooked', () => {
  const text = goalTable(judge(reportOf({ small: [row('bare', 1), row('tally', 1.59)] })))
  expect(text).toMatch(/ 1 {2}small.* ≤ 1\.10 +1\.59 {2}MISSED\n/)
  expect(text).toMatch(/ 3 {2}medium.* - {2}not measured\n/)
})

test('a target that did not start stands below the others', () => {
  const starts = [
    { target: 'bare', ms: { median: 8.4, lowerQuartile: 8, upperQuartile: 9.2 } },
    { target: 'Hono', rejected: 'ended with exit code 1' },
  ]
  expect(startTable('start', starts)).toBe(
    'start\n      median  middle half\nbare    8 ms          8–9\nHono rejected: ended with exit code 1\n',
  )
})
