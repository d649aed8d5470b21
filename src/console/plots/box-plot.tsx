import { Figure } from './figure.tsx'

const width = 600
const height = 64
const margin = 12
const middle = height / 2

/** The values of a box plot. */
interface Box {
  readonly minimum: number
  readonly maximum: number
  readonly quartiles: readonly [q1: number, median: number, q3: number]
  readonly whiskers: readonly [low: number, high: number]
  readonly outliers: { readonly count: number; readonly examples: readonly number[] }
}

const format = (value: number): string => value.toLocaleString('en', { maximumSignificantDigits: 6 })

/** Quartiles, whiskers to the furthest value within 1.5 interquartile ranges, and the values outside (Tukey). */
export function BoxPlot({ box }: { readonly box: Box }) {
  const { quartiles, whiskers, outliers } = box
  const [q1, median, q3] = quartiles
  const [low, high] = whiskers
  const rows = [
    ['lower whisker', low],
    ['first quartile', q1],
    ['median', median],
    ['third quartile', q3],
    ['upper whisker', high],
    ['outside', outliers.count],
  ] as const
  const label = `half of the values are between ${format(q1)} and ${format(q3)}, the median is ${format(median)}, ${outliers.count} are outside of the whiskers`
  return (
    <Figure caption="Box plot" label={label} table={{ columns: ['mark', 'value'], rows }}>
      <BoxMarks box={box} />
    </Figure>
  )
}

function BoxMarks({ box }: { readonly box: Box }) {
  const { minimum, maximum, quartiles, whiskers, outliers } = box
  const span = maximum - minimum || 1
  const x = (value: number): number => margin + ((value - minimum) / span) * (width - 2 * margin)
  const [q1, median, q3] = quartiles
  const [low, high] = whiskers
  return (
    <svg className="box-plot" viewBox={`0 0 ${width} ${height}`}>
      <title>Box plot</title>
      <path d={`M${x(low)} ${middle}H${x(q1)}M${x(q3)} ${middle}H${x(high)}`} />
      <path d={`M${x(low)} ${middle - 9}v18M${x(high)} ${middle - 9}v18`} />
      <rect x={x(q1)} y={middle - 18} width={Math.max(x(q3) - x(q1), 1)} height={36} />
      <path className="median" d={`M${x(median)} ${middle - 18}v36`} />
      {outliers.examples.map((value) => (
        <circle key={value} cx={x(value)} cy={middle} r={3} />
      ))}
    </svg>
  )
}
