import { roundsOf } from './plans.ts'
import type { Report } from './report.ts'
import { document, label, line, px, type Svg } from './svg.ts'
import { loggingSuffix } from './targets.ts'

/** One column of the chart: one figure for every target. */
interface Column {
  readonly heading: string
  readonly subheading: string
  /** CPU time per request relative to bare; undefined if the target was rejected or not measured. */
  readonly ratioOf: (target: string) => number | undefined
}

const width = 860
const nameWidth = 104
const headHeight = 84
const rowHeight = 26
const barHeight = 15
const footHeight = 50

/** Longer bars are clipped here: the interesting differences are below, and the figure is beside the bar. */
const ratioMax = 3
/** Width of the figure beside a bar, in pixels. */
const figureWidth = 38

/**
 * Draws the chart of docs/performance.md: CPU time per request of every target and workload as bars, bare = 1. Sorts by
 * the first workload, best first.
 */
export function chart(report: Report): Svg {
  const columns = columnsOf(report)
  const targets = targetsOf(report, columns)
  const height = headHeight + targets.length * rowHeight + footHeight
  const columnWidth = (width - nameWidth - 16) / columns.length
  const rowTop = (row: number): number => headHeight + row * rowHeight
  const parts = [
    label({
      x: 16,
      y: 26,
      text: 'Server CPU time per POST /payload, bare Bun.serve = 1',
      look: 'strong',
    }),
    ...targets.map((target, row) =>
      label({
        x: nameWidth - 8,
        y: rowTop(row) + barHeight - 3,
        text: displayName(target),
        anchor: 'end',
        look: target === 'tally' ? 'strong' : '',
      }),
    ),
    ...columns.flatMap((column, i) => {
      const left = nameWidth + i * columnWidth
      const scale = (columnWidth - figureWidth - 10) / ratioMax
      return [
        label({ x: left, y: 52, text: column.heading, look: 'strong' }),
        label({ x: left, y: 68, text: column.subheading, look: 'muted small' }),
        line(left + scale, headHeight - 6, left + scale, height - footHeight, 'mark'),
        ...targets.flatMap((target, row) => bar(column.ratioOf(target), left, rowTop(row), scale, target)),
      ]
    }),
    ...footnotes(report).map((text, i) =>
      label({ x: 16, y: height - 30 + i * 16, text, look: 'muted small' }),
    ),
  ]
  return document(width, height, 'CPU time per request of Tally and its peers', parts)
}

function bar(ratio: number | undefined, left: number, top: number, scale: number, target: string): Svg[] {
  if (ratio === undefined) return [label({ x: left, y: top + barHeight - 4, text: '–', look: 'muted small' })]
  const shown = Math.min(ratio, ratioMax) * scale
  const look = target === 'tally' ? 'own' : 'other'
  const right = left + shown
  // A clipped bar ends in a notch.
  const shape =
    ratio <= ratioMax
      ? `<rect x="${px(left)}" y="${px(top)}" width="${px(shown)}" height="${barHeight}" class="${look}"/>`
      : `<path d="M${px(left)} ${px(top)}H${px(right)}l-4 ${barHeight / 2}l4 ${barHeight / 2}H${px(left)}z" class="${look}"/>`
  const text = ratio < 10 ? ratio.toFixed(2) : ratio.toFixed(0)
  return [
    shape,
    label({
      x: right + 4,
      y: top + barHeight - 4,
      text,
      look: target === 'tally' ? 'small strong' : 'small',
    }),
  ]
}

function columnsOf(report: Report): Column[] {
  const ratios = (workload: string): Map<string, number> =>
    new Map(
      report.workloads
        .find((each) => each.workload === workload)
        ?.rows.flatMap(({ target, figures }) => (figures?.ratio ? [[target, figures.ratio.median]] : [])) ??
        [],
    )
  const plain = (workload: string): Column['ratioOf'] => {
    const found = ratios(workload)
    return (target) => found.get(target)
  }
  const small = ratios('small')
  return [
    { heading: 'small', subheading: '5 numbers', ratioOf: plain('small') },
    {
      heading: 'small, logged',
      subheading: 'one JSON line per request',
      ratioOf: (target) => small.get(target === 'bare' ? target : `${target}${loggingSuffix}`),
    },
    { heading: 'medium', subheading: '1,000 numbers, 20 kB', ratioOf: plain('medium') },
    { heading: 'large', subheading: '100,000, 1.9 MB', ratioOf: plain('large') },
    { heading: 'huge', subheading: '1,000,000, 18 MB', ratioOf: plain('huge') },
  ]
}

function targetsOf(report: Report, columns: readonly Column[]): string[] {
  const names = new Set(
    report.workloads.flatMap(({ rows }) =>
      rows.flatMap(({ target }) => (target === 'constant' || target.endsWith(loggingSuffix) ? [] : [target])),
    ),
  )
  const first = (target: string): number => columns[0]?.ratioOf(target) ?? Infinity
  return [...names].sort((a, b) => first(a) - first(b))
}

function displayName(target: string): string {
  return target === 'tally' ? 'Tally' : target === 'bare' ? 'bare Bun' : target
}

function footnotes({ date, machine, plans }: Report): string[] {
  return [
    `Shorter is better; bars are clipped at ${ratioMax}. Only Tally and Hono keep metrics and request IDs; bare never logs.`,
    `Medians of ${roundsOf(plans)}; ${date.slice(0, 10)}, Bun ${machine.bun}, one core of ` +
      `${machine.cpu.replaceAll('(R)', '')}.`,
  ]
}
