import { describe, expect, test } from 'bun:test'
import { chart } from '../../bench/chart.ts'
import { reportOf, row } from './report.ts'

const textsOf = (svg: string): string[] =>
  [...svg.matchAll(/<text [^>]*>([^<]*)<\/text>/g)].map(([, text]) => text!)

const svg = chart(
  reportOf({
    small: [
      row('constant', 0.9),
      row('bare', 1),
      row('tally', 1.04),
      row('R&D', 12.4),
      row('tally, access log', 1.2),
    ],
    medium: [row('bare', 1), row('tally', 0.76), { target: 'R&D', notes: [], rejected: 'wrong' }],
  }),
)

describe('the chart', () => {
  test('has a row for each target, the best first, and none for the floor or for logs', () => {
    const names = textsOf(svg).filter((text) => ['bare Bun', 'Tally', 'R&amp;D'].includes(text))
    expect(names).toEqual(['bare Bun', 'Tally', 'R&amp;D'])
    expect(svg).not.toContain('constant')
  })

  test('shows every figure, also those beyond the end of the scale', () => {
    for (const figure of ['1.04', '1.20', '12', '0.76']) expect(textsOf(svg)).toContain(figure)
    expect(svg.match(/<path /g)).toHaveLength(1)
  })

  test('marks what was rejected or not measured by a dash', () => {
    // R&D: logged, medium, large, huge; Tally: large, huge; bare: large, huge.
    expect(textsOf(svg).filter((text) => text === '–')).toHaveLength(8)
  })

  test('is one well-formed document for light and dark pages', () => {
    expect(svg).toContain('prefers-color-scheme:dark')
    const open = [...svg.matchAll(/<(text|svg|title|style)\b/g)].length
    expect([...svg.matchAll(/<\/(text|svg|title|style)>/g)]).toHaveLength(open)
    expect(svg).not.toContain('NaN')
  })
})
