import { document, label, line, px, type Svg } from './svg.ts'

/** One curve; `points` are in the units of the axes. */
export interface Series {
  readonly name: string
  readonly points: readonly (readonly [x: number, y: number])[]
}

/** A plot with its own axes. */
export interface Panel {
  readonly title: string
  readonly xLabel: string
  readonly xTicks: readonly Tick[]
  readonly yTicks: readonly Tick[]
  readonly isLogarithmicY: boolean
  readonly series: readonly Series[]
}

/** A labeled position on an axis. */
export type Tick = readonly [value: number, text: string]

const width = 860
const height = 400
const margin = { left: 58, right: 28, top: 88, bottom: 66 }
const dotRadius = 2.5

/**
 * Draws panels side by side with one legend, in the order of the first panel and with the same colors in all panels. The
 * x axes are logarithmic. Omits points outside the ticks of an axis.
 */
export function plot(title: string, panels: readonly Panel[], footnote: string): Svg {
  const panelWidth = width / panels.length
  const names = panels[0]?.series.map(({ name }) => name) ?? []
  return document(width, height, title, [
    label({ x: 16, y: 26, text: title, look: 'strong' }),
    ...legend(names),
    ...panels.flatMap((panel, i) => drawPanel(panel, i * panelWidth, panelWidth, names)),
    label({ x: 16, y: height - 12, text: footnote, look: 'muted small' }),
  ])
}

function legend(names: readonly string[]): Svg[] {
  const step = (width - 32) / Math.max(names.length, 6)
  return names.flatMap((name, i) => {
    const x = 16 + i * step
    return [
      `<circle cx="${px(x + 5)}" cy="45" r="4" class="s${i}"/>`,
      label({ x: x + 14, y: 49, text: name, look: i === 0 ? 'small strong' : 'small' }),
    ]
  })
}

function drawPanel(panel: Panel, left: number, panelWidth: number, names: readonly string[]): Svg[] {
  const { title, xLabel, xTicks, yTicks, isLogarithmicY, series } = panel
  const x = scale(xTicks, left + margin.left, left + panelWidth - margin.right, true)
  const y = scale(yTicks, height - margin.bottom, margin.top, isLogarithmicY)
  return [
    label({ x: left + margin.left, y: margin.top - 14, text: title, look: 'muted small' }),
    ...yTicks.flatMap(([value, text]) => [
      line(x.start, y.at(value), x.end, y.at(value), 'grid'),
      label({ x: x.start - 6, y: y.at(value) + 4, text, anchor: 'end', look: 'small' }),
    ]),
    line(x.start, y.start, x.end, y.start, 'axis'),
    ...xTicks.map(([value, text]) =>
      label({ x: x.at(value), y: y.start + 16, text, anchor: 'middle', look: 'small' }),
    ),
    label({ x: x.end, y: y.start + 30, text: xLabel, anchor: 'end', look: 'muted small' }),
    // Draw the first series last, so that it lies on top.
    ...series.toReversed().flatMap((each) => {
      const points = each.points
        .filter(([, value]) => value >= y.min && value <= y.max)
        .map(([at, value]) => [px(x.at(at)), px(y.at(value))] as const)
      const color = `s${names.indexOf(each.name)}`
      return [
        `<polyline points="${points.map((point) => point.join(',')).join(' ')}" class="line ${color}"/>`,
        ...points.map(([cx, cy]) => `<circle cx="${cx}" cy="${cy}" r="${dotRadius}" class="${color}"/>`),
      ]
    }),
  ]
}

interface Scale {
  readonly start: number
  readonly end: number
  readonly min: number
  readonly max: number
  at(value: number): number
}

/** Creates a mapping from the range of the ticks to pixels. */
function scale(ticks: readonly Tick[], start: number, end: number, isLogarithmic: boolean): Scale {
  const values = ticks.map(([value]) => value)
  const [min, max] = [Math.min(...values), Math.max(...values)]
  const of = (value: number): number => (isLogarithmic ? Math.log(value) : value)
  return {
    start,
    end,
    min,
    max,
    at: (value) => start + ((of(value) - of(min)) / (of(max) - of(min))) * (end - start),
  }
}
