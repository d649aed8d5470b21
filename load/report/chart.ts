import { escapeMarkup } from './markup.ts'

/** A line of a chart; null is a gap. `color` is a CSS value. */
export type Line = { name: string; color: string; values: (number | null)[] }

export type Marker = { second: number; label: string }

const width = 960
const height = 280
const left = 64
const right = 16
const bottom = 32
/** Marker labels are above the plot, in several rows so that neighbors do not overlap. */
const markerRows = 3
const top = 16 + markerRows * 14

/** The content of a chart; `step` is the time between two values in seconds. */
export type Chart = {
  title: string
  unit: string
  step: number
  lines: Line[]
  markers: Marker[]
  format: (value: number) => string
}

/**
 * Draws latencies over time as a self-contained SVG: no script, no font, no external URL. The logarithmic axis shows a
 * stall of a second without flattening the rest to zero.
 */
export function timesChart(chart: Chart): string {
  const axis = logAxis(chart.lines.flatMap((line) => line.values).filter((value) => value !== null))
  return frame(chart, axis, (x, y) => chart.lines.map((line) => polylines(line, chart.step, x, y)).join('\n'))
}

/** Draws counts over time as stacked areas; lines with equal counts would hide each other. */
export function countsChart(chart: Chart): string {
  const totals: number[] = Array.from({ length: stepsOf(chart) }, () => 0)
  const layers = chart.lines.map((line) => {
    const floor = totals.slice()
    for (const [index, value] of line.values.entries()) totals[index] = (totals[index] ?? 0) + (value ?? 0)
    return { color: line.color, floor, ceiling: totals.slice() }
  })
  return frame(chart, linearAxis(totals), (x, y) =>
    layers
      .map(({ color, floor, ceiling }) => {
        const edge = (values: number[]) =>
          values.map((value, index) => `${x(index * chart.step)},${y(value)}`)
        return `<polygon points="${[...edge(ceiling), ...edge(floor).reverse()].join(' ')}" style="fill:${color}"/>`
      })
      .join('\n'),
  )
}

type Scale = (value: number) => number

/** Draws axes, markers and legend around the output of `plot`. */
function frame(chart: Chart, axis: Axis, plot: (x: Scale, y: Scale) => string): string {
  const lastSecond = Math.max(1, stepsOf(chart) - 1) * chart.step
  const x: Scale = (second) =>
    round(left + ((width - left - right) * Math.min(Math.max(0, second), lastSecond)) / lastSecond)
  const y: Scale = (value) => round(height - bottom - (height - bottom - top) * axis.position(value))
  const levels = axis.ticks.map(
    (tick) =>
      `<line class="grid" x1="${left}" x2="${width - right}" y1="${y(tick)}" y2="${y(tick)}"/><text x="${left - 8}" y="${y(tick) + 4}" text-anchor="end">${escapeMarkup(chart.format(tick))}</text>`,
  )
  const times = timeTicks(lastSecond).map(
    (second) => `<text x="${x(second)}" y="${height - 10}" text-anchor="middle">${second} s</text>`,
  )
  const markers = chart.markers.map(({ second, label }, index) => {
    const at = x(second)
    const flip = at > width * 0.8
    return `<line class="marker" x1="${at}" x2="${at}" y1="${top - 4}" y2="${height - bottom}"/><text class="marker" x="${at + (flip ? -3 : 3)}" y="${14 + (index % markerRows) * 14}" text-anchor="${flip ? 'end' : 'start'}">${escapeMarkup(label)}</text>`
  })
  const legend = chart.lines.map(
    ({ name, color }) => `<span><i style="background:${color}"></i>${escapeMarkup(name)}</span>`,
  )
  return `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeMarkup(chart.title)}">
${[...levels, ...times, plot(x, y), ...markers].join('\n')}
</svg>
<p class="legend">${legend.join('')}<span class="unit">${escapeMarkup(chart.unit)}</span></p>`
}

function stepsOf(chart: Chart): number {
  return Math.max(1, ...chart.lines.map(({ values }) => values.length))
}

/** One polyline per run of values without a gap; a single value becomes a dot. */
function polylines(
  line: Line,
  step: number,
  x: (second: number) => number,
  y: (value: number) => number,
): string {
  const runs: [number, number][][] = [[]]
  for (const [index, value] of line.values.entries()) {
    if (value === null) runs.push([])
    else runs.at(-1)?.push([x(index * step), y(value)])
  }
  return runs
    .map((run) => {
      const [only] = run
      if (!only) return ''
      if (run.length === 1) {
        return `<circle cx="${only[0]}" cy="${only[1]}" r="2" style="fill:${line.color}"/>`
      }
      const points = run.map(([px, py]) => `${px},${py}`).join(' ')
      return `<polyline points="${points}" style="stroke:${line.color}"/>`
    })
    .join('')
}

type Axis = { ticks: number[]; position: (value: number) => number }

function linearAxis(values: number[]): Axis {
  const step = Math.max(1, niceStep(Math.max(1, ...values) / 4))
  const most = step * Math.max(1, Math.ceil(Math.max(1, ...values) / step))
  return {
    ticks: Array.from({ length: Math.round(most / step) + 1 }, (_, index) => index * step),
    position: (value) => value / most,
  }
}

/** An axis from the power of ten below the values to the one above. */
function logAxis(values: number[]): Axis {
  const positive = values.filter((value) => value > 0)
  const low = Math.floor(Math.log10(Math.min(...(positive.length > 0 ? positive : [0.001]))))
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...(positive.length > 0 ? positive : [1])))))
  return {
    ticks: Array.from({ length: high - low + 1 }, (_, index) => 10 ** (low + index)),
    position: (value) => Math.max(0, (Math.log10(Math.max(value, 10 ** low)) - low) / (high - low)),
  }
}

function timeTicks(lastSecond: number): number[] {
  const step = Math.max(1, niceStep(lastSecond / 8))
  return Array.from({ length: Math.floor(lastSecond / step) + 1 }, (_, index) => index * step)
}

/** The next 1, 2 or 5 times a power of ten. */
function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least))
  return power * ([1, 2, 5].find((factor) => factor * power >= least) ?? 10)
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}
