import type { Figures, Row } from './summary.ts'

const headings = ['', 'CPU/request', 'ratio', 'middle half', 'requests/s', 'p50', 'p99', 'busy', 'load busy']

/** The rows as a text table, one line a target; those that were rejected stand below it with the reason. */
export function table(title: string, rows: readonly Row[]): string {
  const lines = [
    headings,
    ...rows.flatMap(({ target, figures }) => (figures ? [cells(target, figures)] : [])),
  ]
  const widths = headings.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)))
  const aligned = lines.map((line) =>
    line
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)))
      .join('  '),
  )
  const rejected = rows.flatMap(({ target, rejected }) =>
    rejected ? [`${target} rejected: ${rejected}`] : [],
  )
  return [title, ...aligned, ...rejected].map((line) => `${line.trimEnd()}\n`).join('')
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

function micros(value: number): string {
  return value < 1e3 ? `${value.toFixed(1)} µs` : `${(value / 1e3).toFixed(2)} ms`
}

function perSecond(value: number): string {
  return value < 100 ? value.toFixed(1) : Math.round(value).toLocaleString('en')
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}
