import { Figure } from './figure.tsx'

const width = 160
const height = 36

/** A small line plot of the last values, scaled to the largest. */
export function Sparkline(props: {
  readonly caption: string
  readonly unit: string
  readonly values: readonly number[]
}) {
  const { caption, unit, values } = props
  const max = Math.max(...values, 0)
  const now = values.at(-1) ?? 0
  const step = width / Math.max(values.length - 1, 1)
  const points = values.map((value, i) => {
    const y = height - 2 - (max === 0 ? 0 : (value / max) * (height - 4))
    return `${(i * step).toFixed(1)},${y.toFixed(1)}`
  })
  const recent = values.slice(-10).map((value, i, all) => [`${all.length - 1 - i} s ago`, round(value)])
  return (
    <Figure
      caption={caption}
      label={`now ${round(now)} ${unit}, at most ${round(max)} ${unit}`}
      table={{ columns: ['when', unit], rows: recent }}
    >
      <svg className="sparkline" viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none">
        <title>{caption}</title>
        {points.length > 1 && (
          <>
            <polygon points={`0,${height} ${points.join(' ')} ${width},${height}`} />
            <polyline points={points.join(' ')} />
          </>
        )}
      </svg>
    </Figure>
  )
}

/** Rounds to at most three significant digits. */
const round = (value: number): number => Number(value.toPrecision(3))
