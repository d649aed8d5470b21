import { formatRoute, navigate, type Route } from '../route.ts'
import { AnswersPlot } from './answers-plot.tsx'
import { Controls } from './controls.tsx'
import { DotStream } from './dot-stream.tsx'
import { exportHistory } from './export-history.ts'
import { InstanceCards } from './instance-cards.tsx'
import { LedgerLine } from './ledger-line.tsx'
import { useInstances } from './use-instances.ts'
import { useTraffic } from './use-traffic.ts'

const defaultRate = 20
const maxRate = 50

/** A stream of requests and their outcomes while instances start and stop. */
export function RolloutView({ params }: Pick<Route, 'params'>) {
  const rate = Math.min(Math.max(Number(params.get('rate') ?? defaultRate) || defaultRate, 1), maxRate)
  const isRunning = params.get('run') === '1'
  const { ledger, reset } = useTraffic(isRunning, rate)
  const { instances, now } = useInstances()
  const names = Object.keys(ledger.byInstance)
  const show = (change: { run?: boolean; rate?: number }): void => {
    const { run = isRunning, rate: chosen = rate } = change
    navigate(formatRoute('rollout', { run: run ? '1' : undefined, rate: String(chosen) }), { replace: true })
  }
  return (
    <>
      <h1>Rollout</h1>
      <p className="lead">
        Each dot is a request of this page, in the color of the instance that answered. Replace, scale or kill
        instances meanwhile, and watch whether one is lost.
      </p>
      <Controls
        isRunning={isRunning}
        rate={rate}
        onRun={(run) => show({ run })}
        onRate={(chosen) => show({ rate: chosen })}
        onReset={reset}
        onExport={() => exportHistory(ledger, instances)}
      />
      <LedgerLine ledger={ledger} />
      <DotStream samples={ledger.recent} names={names} />
      <AnswersPlot seconds={ledger.seconds} names={names} />
      <InstanceCards instances={instances} names={names} now={now} />
      <Failures ledger={ledger} />
    </>
  )
}

/** The reasons of failed requests. */
function Failures({ ledger: { failures } }: Pick<Parameters<typeof LedgerLine>[0], 'ledger'>) {
  if (failures.length === 0) return null
  return (
    <section aria-label="Requests without an answer">
      <h2>Without an answer</h2>
      <ul className="failures">
        {failures.toReversed().map(({ number, outcome, reason, durationMs }) => (
          <li key={number}>
            <span className="badge" data-status={outcome === 'lost' ? 'failed' : 'cancelled'}>
              {outcome}
            </span>{' '}
            {reason}, after {Math.round(durationMs)} ms
          </li>
        ))}
      </ul>
    </section>
  )
}
