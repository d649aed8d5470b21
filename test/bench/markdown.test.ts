import { describe, expect, test } from 'bun:test'
import { judge } from '../../bench/goals.ts'
import { goalsMarkdown, replaceMarked, summaryMarkdown, workloadsMarkdown } from '../../bench/markdown.ts'
import { reportOf, row } from './report.ts'

describe('a marked place', () => {
  const page = 'a\n<!-- bench: goals, made by a program -->\nold\n<!-- /bench -->\nb\n'

  test('is filled, and again', () => {
    const once = replaceMarked(page, 'goals', 'costs $1 & $&')
    expect(once).toBe('a\n<!-- bench: goals, made by a program -->\ncosts $1 & $&\n<!-- /bench -->\nb\n')
    expect(replaceMarked(once, 'goals', 'old')).toBe(page)
  })

  test('may be empty before', () => {
    expect(replaceMarked('<!-- bench: x -->\n<!-- /bench -->', 'x', 'new')).toBe(
      '<!-- bench: x -->\nnew\n<!-- /bench -->',
    )
  })

  test('of another name is left alone', () => {
    expect(() => replaceMarked(page, 'goal', 'new')).toThrow('no mark <!-- bench: goal -->')
  })
})

const report = reportOf({
  small: [row('bare', 1), row('tally', 1.04), row('axum', 0.9), row('tally, access log', 1.25)],
  huge: [{ target: 'tally', notes: ['the window was repeated'], rejected: 'mean is 3' }],
})

test('the goals name the missed ones', () => {
  const lines = goalsMarkdown(judge(report)).split('\n')
  expect(lines).toContain(
    '| 1 | small: 5 numbers, 24 characters, access log off | ≤ 1.10 | **1.04** | met | axum 0.90 |',
  )
  expect(lines.filter((line) => line.includes('**missed**'))).toHaveLength(1)
})

test('every workload is a table from the cheapest to the dearest, rejected targets below it', () => {
  const text = workloadsMarkdown(report)
  expect(text.indexOf('| axum |')).toBeLessThan(text.indexOf('| bare |'))
  expect(text).toContain('tally: the window was repeated.\n\ntally was rejected: mean is 3.')
})

test('the summary tells what was measured and counts the goals', () => {
  const text = summaryMarkdown(report, judge(report))
  expect(text).toContain('takes 1.04 for a small payload (1.25 with an access log line), - for a medium one')
  expect(text).toContain('1 of the 2 goals that were measured are met.')
  expect(text).toContain('Less than Tally takes axum (small).')
})

test('that nobody is ahead is said too', () => {
  const alone = reportOf({ small: [row('bare', 0.9), row('tally', 1), row('axum', 1.1)] })
  expect(summaryMarkdown(alone, judge(alone))).toContain('No peer takes less than Tally.')
})
