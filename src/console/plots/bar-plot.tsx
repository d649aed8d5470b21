import { useMemo } from 'react'
import uPlot from 'uplot'
import type { Bar } from './bar.ts'
import { Figure } from './figure.tsx'
import { axis, type PlotOptions, themeColor, UPlotCanvas } from './uplot-canvas.tsx'

const height = 170
const formatNumber = (value: number): string =>
  value.toLocaleString('en', { maximumSignificantDigits: 6, useGrouping: false })

const options: PlotOptions = {
  legend: { show: false },
  cursor: { show: false },
  scales: { x: { time: false }, y: { range: (_plot, _min, max) => [0, max * 1.05 || 1] } },
  axes: [axis(28, { values: (_plot, values) => values.map(formatNumber) }), axis(56)],
  series: [
    {},
    {
      fill: themeColor('--accent-soft'),
      stroke: themeColor('--accent'),
      width: 1,
      points: { show: false },
      paths: (plot, series, from, to) => barPaths(plot, series, from, to),
    },
  ],
}

const barPaths = uPlot.paths.bars?.({ size: [1, 200], align: 1, gap: 1 }) ?? (() => null)

/** Adjacent bars, such as a histogram. */
export function BarPlot(props: {
  readonly caption: string
  readonly label: string
  readonly bars: readonly Bar[]
  /** The labels of both axes. */
  readonly columns: readonly [over: string, count: string]
}) {
  const { caption, label, bars, columns } = props
  const data = useMemo<uPlot.AlignedData>(() => {
    const last = bars.at(-1)
    // An extra empty bar, because a bar starts at its value.
    const ends = last === undefined ? [] : [last.end]
    return [
      [...bars.map(({ start }) => start), ...ends],
      [...bars.map(({ count }) => count), ...ends.map(() => null)],
    ]
  }, [bars])
  const rows = bars.map(({ start, end, count }) => [`${formatNumber(start)} to ${formatNumber(end)}`, count])
  return (
    <Figure caption={caption} label={label} table={{ columns, rows }}>
      <UPlotCanvas options={options} data={data} height={height} />
    </Figure>
  )
}
