import { useMemo } from 'react'
import type uPlot from 'uplot'
import { Figure, maxTableRows } from '../plots/figure.tsx'
import { axis, type PlotOptions, themeColor, UPlotCanvas } from '../plots/uplot-canvas.tsx'
import type { Second } from './ledger.ts'
import { instanceStyle } from './palette.ts'

const height = 180
/** Distance of marks on the time axis, in s. */
const timeSteps = [1, 2, 5, 10, 15, 30, 60, 120, 300]

const formatTime = (seconds: number): string => new Date(seconds * 1_000).toLocaleTimeString('en-GB')

/** Answers per second of each instance during the last ten minutes. */
export function AnswersPlot(props: {
  readonly seconds: readonly Second[]
  readonly names: readonly string[]
}) {
  const { seconds, names } = props
  // The list grows with each answer, but the names seldom change: recreate the plot only for new names.
  const joined = names.join('\n')
  const options = useMemo(() => createOptions(joined === '' ? [] : joined.split('\n')), [joined])
  // Excludes the current second, which is incomplete.
  const complete = useMemo(() => seconds.slice(0, -1), [seconds])
  const data = useMemo<uPlot.AlignedData>(
    () => [
      complete.map(({ at }) => at),
      ...names.map((name) => complete.map(({ answered }) => answered[name] ?? 0)),
      complete.map(({ lost }) => lost),
    ],
    [complete, names],
  )
  if (seconds.length === 0) return <p className="empty">No request was sent yet.</p>
  const last = complete.at(-1)
  const label = [
    ...names.map((name) => `${name} ${last?.answered[name] ?? 0}`),
    `lost ${last?.lost ?? 0}`,
  ].join(', ')
  const rows = complete
    .slice(-maxTableRows)
    .map(({ at, answered, lost }) => [
      new Date(at * 1_000).toISOString(),
      ...names.map((name) => answered[name] ?? 0),
      lost,
    ])
  return (
    <Figure
      caption="Answers per second"
      label={`in the last second ${label}`}
      table={{ columns: ['time', ...names, 'lost'], rows }}
    >
      <UPlotCanvas options={options} data={data} height={height} />
    </Figure>
  )
}

function createOptions(names: readonly string[]): PlotOptions {
  return {
    legend: { show: false },
    cursor: { show: false },
    scales: { y: { range: (_plot, _min, max) => [0, Math.max(max * 1.1, 1)] } },
    axes: [
      axis(28, { space: 80, incrs: timeSteps, values: (_plot, times) => times.map(formatTime) }),
      axis(44),
    ],
    series: [
      {},
      ...names.map((name, i) => ({
        label: name,
        stroke: themeColor(instanceStyle(i).color),
        dash: [...instanceStyle(i).dash],
        width: 2,
        points: { show: false },
      })),
      {
        label: 'lost',
        stroke: themeColor('--lost'),
        fill: themeColor('--lost'),
        width: 2,
        points: { show: false },
      },
    ],
  }
}
