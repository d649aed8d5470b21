import { escapeMarkup } from './markup.ts'

/** A line of a chart; null is a gap. `color` is a CSS value. */
export type Line = { name: string; color: string; values: (number | null)[] }

export type Marker = { second: number; label: string }

const width = 960
const height = 280
const left = 64
const right = 16
const bottom = 32
/** Labels of markers stand above the plot, in rows so that near ones do not cover each other. */
const markerRows = 3
const top = 16 + markerRows * 14

/**
 * Lines over time as an SVG of its own: no script, no font, no address outside.
 *
 * @param step seconds between two values
 * @param scale `log` for times, where a stall must show without flattening the rest to zero
 */
export function lineChart(chart: {
  title: string
  unit: string
  step: number
  lines: Line[]
  markers: Marker[]
  scale: 'linear' | 'log'
  format: (value: number) => string
}): string {
  const length = Math.max(1, ...chart.lines.map(({ values }) => values.length))
  const lastSecond = Math.max(chart.step, (length - 1) * chart.step)
  const values = chart.lines.flatMap((line) => line.values).filter((value) => value !== null)
  const axis = chart.scale === 'log' ? logAxis(values) : linearAxis(values)
  const x = (second: number): number =>
    left + ((width - left - right) * Math.min(second, lastSecond)) / lastSecond
  const y = (value: number): number => height - bottom - (height - bottom - top) * axis.position(value)

  return `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeMarkup(chart.title)}">
${axis.ticks
  .map(
    (tick) =>
      `<line class="grid" x1="${left}" x2="${width - right}" y1="${round(y(tick))}" y2="${round(y(tick))}"/><text class="tick" x="${left - 8}" y="${round(y(tick) + 4)}" text-anchor="end">${escapeMarkup(chart.format(tick))}</text>`,
  )
  .join('\n')}
${timeTicks(lastSecond)
  .map(
    (second) =>
      `<text class="tick" x="${round(x(second))}" y="${height - 10}" text-anchor="middle">${second} s</text>`,
  )
  .join('\n')}
${chart.markers
  .map(({ second, label }, index) => {
    const at = round(x(Math.max(0, second)))
    const flip = at > width * 0.8
    return `<line class="marker" x1="${at}" x2="${at}" y1="${top - 4}" y2="${height - bottom}"/><text class="marker" x="${at + (flip ? -3 : 3)}" y="${14 + (index % markerRows) * 14}" text-anchor="${flip ? 'end' : 'start'}">${escapeMarkup(label)}</text>`
  })
  .join('\n')}
${chart.lines.map((line) => polylines(line, chart.step, x, y)).join('\n')}
</svg>
<p class="legend">${chart.lines.map(({ name, color }) => `<span><i style="background:${color}"></i>${escapeMarkup(name)}</span>`).join('')}<span class="unit">${escapeMarkup(chart.unit)}</span></p>`
}

/** One polyline for each run of values without a gap; a lone value becomes a dot. */
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
        return `<circle cx="${round(only[0])}" cy="${round(only[1])}" r="2" style="fill:${line.color}"/>`
      }
      const points = run.map(([px, py]) => `${round(px)},${round(py)}`).join(' ')
      return `<polyline points="${points}" style="stroke:${line.color}"/>`
    })
    .join('')
}

type Axis = { ticks: number[]; position: (value: number) => number }

function linearAxis(values: number[]): Axis {
  const step = niceStep(Math.max(1, ...values) / 4)
  const most = step * Math.max(1, Math.ceil(Math.max(1, ...values) / step))
  return {
    ticks: Array.from({ length: Math.round(most / step) + 1 }, (_, index) => index * step),
    position: (value) => value / most,
  }
}

/** Whole powers of ten around the values. */
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
