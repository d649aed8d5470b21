import type { GoalLine } from './goals.ts'
import type { StartTime } from './start.ts'
import type { Figures, Row } from './summary.ts'

const headings = ['', 'CPU/request', 'ratio', 'middle half', 'requests/s', 'p50', 'p99', 'busy', 'load busy']

/** Formats the rows as a text table, one line per target, followed by notes and rejections. */
export function table(title: string, rows: readonly Row[]): string {
  const lines = [
    headings,
    ...rows.flatMap(({ target, figures }) => (figures ? [cells(target, figures)] : [])),
  ]
  const remarks = rows.flatMap(({ target, rejected, notes }) => [
    ...notes.map((note) => `${target}: ${note}`),
    ...(rejected ? [`${target} rejected: ${rejected}`] : []),
  ])
  return text([title, ...aligned(lines), ...remarks])
}

/** Formats the start times of all targets. */
export function startTable(title: string, starts: readonly StartTime[]): string {
  const lines = [
    ['', 'median', 'middle half'],
    ...starts.flatMap(({ target, ms }) =>
      ms === undefined
        ? []
        : [[target, millis(ms.median), `${ms.lowerQuartile.toFixed(0)}–${ms.upperQuartile.toFixed(0)}`]],
    ),
  ]
  const rejected = starts.flatMap(({ target, rejected }) =>
    rejected ? [`${target} rejected: ${rejected}`] : [],
  )
  return text([title, ...aligned(lines), ...rejected])
}

/** Formats the goals with their results; missed goals are in capitals. */
export function goalTable(lines: readonly GoalLine[]): string {
  const cells = lines.map(({ row, work, goal, figure, verdict, beside }) => [
    String(row),
    work,
    goal,
    figure,
    verdict === 'missed' ? 'MISSED' : verdict,
    beside.join(', '),
  ])
  const headings = ['', 'goals', '', 'tally', '', 'peers']
  return text(aligned([headings, ...cells], (column) => column === 0 || column === 3))
}

/** @param isRight whether a column is right-aligned; default: all but the first */
function aligned(
  lines: readonly (readonly string[])[],
  isRight: (column: number) => boolean = (column) => column > 0,
): string[] {
  const widths = (lines[0] ?? []).map((_, column) =>
    Math.max(...lines.map((line) => (line[column] ?? '').length)),
  )
  return lines.map((line) =>
    line
      .map((cell, column) =>
        isRight(column) ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!),
      )
      .join('  '),
  )
}

function text(lines: readonly string[]): string {
  return lines.map((line) => `${line.trimEnd()}\n`).join('')
}

function cells(target: string, figures: Figures): string[] {
  const { ratio } = figures
  return [
    target,
    micros(figures.cpuMicrosPerRequest),
    ratio === undefined ? '-' : ratio.median.toFixed(2),
    ratio === undefined ? '-' : `${ratio.lowerQuartile.toFixed(2)}–${ratio.upperQuartile.toFixed(2)}`,
    perSecond(figures.requestsPerSecond),
    micros(figures.latencyMsP50 * 1e3),
    micros(figures.latencyMsP99 * 1e3),
    percent(figures.serverBusy),
    percent(figures.loadBusy),
  ]
}

/** Formats a time in µs as µs or ms. */
export function micros(value: number): string {
  return value < 1e3 ? `${value.toFixed(1)} µs` : `${(value / 1e3).toFixed(2)} ms`
}

function millis(value: number): string {
  return `${value.toFixed(0)} ms`
}

function perSecond(value: number): string {
  return value < 100 ? value.toFixed(1) : Math.round(value).toLocaleString('en')
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}
