import type { Sample } from './ledger.ts'
import { instanceStyle } from './palette.ts'

/** One dot per request, newest first. The oldest are hidden if they do not fit. */
export function DotStream(props: { readonly samples: readonly Sample[]; readonly names: readonly string[] }) {
  const { samples, names } = props
  return (
    <>
      <div className="dots" role="img" aria-label={describe(samples)}>
        {samples.toReversed().map((sample) => (
          <Dot key={sample.number} sample={sample} index={names.indexOf(sample.instance ?? '')} />
        ))}
      </div>
      <Legend names={names} />
    </>
  )
}

function Dot({ sample, index }: { readonly sample: Sample; readonly index: number }) {
  const { outcome, isSlow, instance } = sample
  const color = outcome === 'answered' ? `var(${instanceStyle(Math.max(index, 0)).color})` : undefined
  return (
    <span
      className="dot"
      data-outcome={outcome}
      data-instance={instance}
      data-slow={isSlow}
      style={color === undefined ? undefined : { backgroundColor: color }}
    />
  )
}

function Legend({ names }: { readonly names: readonly string[] }) {
  return (
    <ul className="legend">
      {names.map((name, i) => (
        <li key={name}>
          <span className="dot" style={{ backgroundColor: `var(${instanceStyle(i).color})` }} /> {name}
        </li>
      ))}
      <li>
        <span className="dot" data-outcome="answered" data-slow="true" /> slower than 1 s
      </li>
      <li>
        <span className="dot" data-outcome="refused" /> refused
      </li>
      <li>
        <span className="dot" data-outcome="lost" /> lost
      </li>
    </ul>
  )
}

function describe(samples: readonly Sample[]): string {
  const count = (outcome: Sample['outcome']): number =>
    samples.filter((each) => each.outcome === outcome).length
  return `The last ${samples.length} requests: ${count('answered')} answered, ${count('refused')} refused, ${count('lost')} lost`
}
