import { sumOf } from '../phases.ts'
import type { Run } from '../run.ts'
import { phaseHeads, phaseRow } from './phase-table.ts'
import { textTable } from './table.ts'

export interface Judged {
  readonly run: Run
  readonly faults: readonly string[]
}

const heads = ['connections', 'payload', ...phaseHeads]

/** The rows of the table phase × mode, with a sum after each run's phases. */
export function phaseRows({ name, connection, size, phases }: Run): string[][] {
  const sum = sumOf(phases, name === 'kill' ? 'kill: all' : 'all')
  return [...phases, sum].map((each) => [connection, size, ...phaseRow(each)])
}

/** The report for a terminal and a log. */
export function renderText(program: string, judged: readonly Judged[]): string {
  const rows = [heads, ...judged.flatMap(({ run }) => phaseRows(run))]
  return [
    '',
    `--- Rollout under load (${program}) ---`,
    ...textTable(rows, 3),
    '',
    ...judged.flatMap(({ run, faults }) => [
      ...runLines(run),
      ...faults.map((fault) => `  FAILED: ${fault}`),
    ]),
    '',
    verdict(judged),
    '',
  ].join('\n')
}

function runLines({ name, ratePerSecond, capacityPerSecond, instances, report }: Run): string[] {
  const sum = (witness: 'client' | 'prometheus' | 'log'): number =>
    instances.reduce((total, instance) => total + instance[witness], 0)
  const stops = instances.map(({ stopSeconds }) => stopSeconds)
  const capacity = capacityPerSecond === null ? '' : ` of at most ${capacityPerSecond.toFixed(0)}`
  return [
    `${name}: ${ratePerSecond}/s${capacity}, ${instances.length} instances, stops took ${Math.min(...stops).toFixed(1)} to ${Math.max(...stops).toFixed(1)} s`,
    `  sum over the instances: ${sum('client')} by X-Served-By, ${sum('prometheus')} by Prometheus, ${sum('log')} by access log; answered ${report.summary.answered}`,
    ...report.reasons.map(({ class: kind, reason, count }) => `  ${count} × ${kind}: ${reason}`),
    ...(report.summary.notStarted > 0
      ? [
          `  ${report.summary.notStarted} requests were not sent in time (no user was free), so the load was below its rate`,
        ]
      : []),
    ...(name === 'kill'
      ? [`  The kill cost ${report.summary.lost} requests: this check sees a loss when there is one.`]
      : []),
  ]
}

/** A summary in one line. */
export function verdict(judged: readonly Judged[]): string {
  const rolled = judged.filter(({ run }) => run.name !== 'kill')
  const total = (field: 'sent' | 'lost' | 'refused' | 'slow'): number =>
    rolled.reduce((sum, { run }) => sum + run.phases.reduce((inner, phase) => inner + phase[field], 0), 0)
  const failed = judged.filter(({ faults }) => faults.length > 0).map(({ run }) => run.name)
  const counts = `rolling and scaling lost ${total('lost')}, refused ${total('refused')}, delayed ${total('slow')} of ${total('sent')} requests`
  return failed.length === 0 ? `Passed: ${counts}` : `FAILED (${failed.join(', ')}): ${counts}`
}
