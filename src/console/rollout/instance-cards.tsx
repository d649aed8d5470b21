import { Sparkline } from '../plots/sparkline.tsx'
import { type InstanceHistory, type Instances, type Point, stateOf } from './instances.ts'
import { instanceStyle } from './palette.ts'

/** Points of a small plot: the last two minutes. */
const maxPoints = 120

/** One card per process that has answered. */
export function InstanceCards(props: {
  readonly instances: Instances
  readonly names: readonly string[]
  readonly now: number
}) {
  const { instances, names, now } = props
  const all = [...instances.values()].toSorted((a, b) => (a.key < b.key ? -1 : 1))
  const answering = all.filter((each) => stateOf(each, now) !== 'gone').length
  return (
    <section aria-label="Instances">
      <h2>
        Instances <span className="quiet">{answering} answering here</span>
      </h2>
      <div className="cards">
        {all.map((history) => (
          <InstanceCard
            key={history.key}
            history={history}
            index={names.indexOf(history.latest.instance.name)}
            state={stateOf(history, now)}
          />
        ))}
      </div>
    </section>
  )
}

function InstanceCard(props: {
  readonly history: InstanceHistory
  /** Undefined counts as -1: this page has no answer yet. */
  readonly index: number
  readonly state: string
}) {
  const { history, index, state } = props
  const { instance } = history.latest
  const points = history.points.slice(-maxPoints)
  const { name } = instance
  return (
    <article className="card" data-state={state} data-instance={name} aria-label={`Instance ${name}`}>
      <h3>
        {index >= 0 && (
          <span
            className="dot"
            style={{ backgroundColor: `var(${instanceStyle(index).color})` }}
            aria-hidden="true"
          />
        )}{' '}
        {name}
      </h3>
      <p className="card-state">
        <span className="badge" data-status={state}>
          {state}
        </span>{' '}
        version {instance.version} · up {formatUptime(instance.uptime_seconds)}
      </p>
      <Facts history={history} />
      <Sparkline
        caption={`Requests per second of ${name}`}
        unit="requests/s"
        values={points.map(({ requestsPerSecond }) => requestsPerSecond)}
      />
      <Sparkline
        caption={`99th percentile of ${name}`}
        unit="ms"
        values={points.map(({ p99 = 0 }) => p99 * 1_000)}
      />
    </article>
  )
}

function Facts({ history }: { readonly history: InstanceHistory }) {
  const { requests, in_flight } = history.latest.instance
  const point = history.points.at(-1)
  const facts = [
    ['requests/s', point === undefined ? '–' : point.requestsPerSecond.toFixed(1)],
    ['p50', formatQuantile(point, 'p50')],
    ['p95', formatQuantile(point, 'p95')],
    ['p99', formatQuantile(point, 'p99')],
    ['5xx', requests.failed.toLocaleString('en')],
    ['in flight', in_flight.toLocaleString('en')],
  ] as const
  return (
    <dl className="card-facts">
      {facts.map(([label, value]) => (
        <div key={label}>
          <dt>{label}</dt>
          <dd className="number">{value}</dd>
        </div>
      ))}
    </dl>
  )
}

function formatQuantile(point: Point | undefined, name: 'p50' | 'p95' | 'p99'): string {
  const seconds = point?.[name]
  return seconds === undefined ? '–' : `${Number((seconds * 1_000).toPrecision(2))} ms`
}

function formatUptime(seconds: number): string {
  if (seconds < 120) return `${seconds} s`
  if (seconds < 7_200) return `${Math.floor(seconds / 60)} min`
  return `${Math.floor(seconds / 3_600)} h`
}
