import { describe, expect, test } from 'bun:test'
import { judge } from '../../bench/goals.ts'
import type { Report } from '../../bench/report.ts'
import { reportOf, row } from './report.ts'

const lineOf = (report: Report, number: number) => judge(report).find(({ row }) => row === number)

describe('CPU time per request', () => {
  test('meets the goal at the limit and misses it above', () => {
    expect(lineOf(reportOf({ small: [row('bare', 1), row('tally', 1.1)] }), 1)?.verdict).toBe('met')
    expect(lineOf(reportOf({ small: [row('bare', 1), row('tally', 1.11)] }), 1)?.verdict).toBe('missed')
  })

  test('has separate goals with and without an access log, each with its own peers', () => {
    const report = reportOf({
      small: [
        row('tally', 1.05),
        row('axum', 0.9),
        row('tally, access log', 1.3),
        row('axum, access log', 1.2),
      ],
    })
    expect(lineOf(report, 1)).toMatchObject({ figure: '1.05', verdict: 'met', beside: ['axum 0.90'] })
    expect(lineOf(report, 2)).toMatchObject({ figure: '1.30', verdict: 'missed', beside: ['axum 1.20'] })
  })

  test('lists peers from best to worst, without bare and constant', () => {
    const rows = [row('constant', 0.5), row('bare', 1), row('tally', 1), row('FastAPI', 14), row('Hono', 1.6)]
    expect(lineOf(reportOf({ medium: rows }), 3)?.beside).toEqual(['Hono 1.60', 'FastAPI 14'])
  })
})

describe('the time of one huge request', () => {
  const verdict = (tally: number, peer: number) =>
    lineOf(reportOf({ huge: [row('tally', 9, tally), row('axum', 9, peer)] }), 5)?.verdict

  test('decides instead of CPU time', () => expect(verdict(1.15, 1.2)).toBe('met'))
  test('must be within the limit', () => expect(verdict(1.16, 1.2)).toBe('missed'))
  test('must be ahead of every peer', () => expect(verdict(0.9, 0.8)).toBe('missed'))
})

describe('a goal without a measurement', () => {
  test('is neither met nor missed', () => {
    for (const line of judge(reportOf({})))
      expect(line).toMatchObject({ verdict: 'not measured', figure: '-' })
  })

  test('includes the goal of a rejected target', () => {
    const rejected = { target: 'tally', notes: [], rejected: 'answered 500' }
    expect(lineOf(reportOf({ large: [rejected, row('axum', 1)] }), 4)?.verdict).toBe('not measured')
  })
})

test('two processes are compared with one', () => {
  const report = { ...reportOf({}), processes: [row('tally', 1), row('tally, 2 processes', 1.08)] }
  expect(lineOf(report, 11)).toMatchObject({ figure: '1.08', verdict: 'met' })
})

test('start times are in milliseconds, with those of the peers', () => {
  const ms = (median: number) => ({ median, lowerQuartile: median, upperQuartile: median })
  const starts = [
    { target: 'bare', ms: ms(9) },
    { target: 'tally, bundled', ms: ms(61) },
    { target: 'Hono', rejected: 'ended' },
  ]
  expect(lineOf({ ...reportOf({}), starts }, 8)).toMatchObject({
    figure: '61 ms',
    verdict: 'missed',
    beside: ['bare 9 ms'],
  })
})

test('a row that its own measurement judged keeps that verdict', () => {
  const finding = { row: 6, figure: 'p99 3.1 ms', verdict: 'met', beside: ['bare 45 ms'] } as const
  expect(lineOf({ ...reportOf({}), findings: [finding] }, 6)).toMatchObject(finding)
})

test('rows are in order', () => {
  expect(judge(reportOf({})).map(({ row }) => row)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
})
