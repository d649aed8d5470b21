import { sumOf } from '../../phases.ts'
import { phaseHeads, phaseRow } from '../../report/phase-table.ts'
import { textTable } from '../../report/table.ts'
import type { ClusterRun } from '../run.ts'
import { checksOf, faultsOf, type PartResult, totalsOf } from '../verdict.ts'

/** The environment of the test. */
export interface Circumstances {
  readonly startedAt: string
  readonly minutes: number
  /** Versions of Kubernetes and the node's components. */
  readonly cluster: string
  readonly images: readonly [string, string]
}

/** The rows of a load in the table of phases, followed by their sum. */
export function phaseRows({ name, phases }: ClusterRun): string[][] {
  return [...phases, sumOf(phases, 'all')].map((each) => [name, ...phaseRow(each)])
}

/** One load in a line: its rate, its pods, and whether both sides counted the same. */
export function runLine({ name, ratePerSecond, stops, pods, report }: ClusterRun): string {
  const { client, prometheus } = podSums(pods)
  const rate = ratePerSecond === null ? `${report.summary.sent} requests` : `${ratePerSecond} a second`
  const { notStarted, answered } = report.summary
  return [
    `${name}: ${rate}, ${pods.length} pods answered, ${stops.length} were stopped`,
    `sum over the pods ${client} by X-Served-By, ${prometheus} by Prometheus, answered ${answered}`,
    ...(notStarted > 0 ? [`${notStarted} not sent in time, because no user was free`] : []),
  ].join('; ')
}

/** The responses of all pods of a load, as counted by each side. */
export function podSums(pods: ClusterRun['pods']): { client: number; prometheus: number } {
  return pods.reduce(
    (sum, pod) => ({ client: sum.client + pod.client, prometheus: sum.prometheus + pod.prometheus }),
    { client: 0, prometheus: 0 },
  )
}

/** The report for a terminal and a log. */
export function renderText(where: Circumstances, results: readonly PartResult[]): string {
  return [
    '',
    `--- Cluster test, ${where.startedAt}, ${where.minutes.toFixed(0)} minutes ---`,
    where.cluster,
    `images ${where.images.join(' and ')}`,
    ...results.flatMap(partLines),
    '',
    verdict(results),
    '',
  ].join('\n')
}

function partLines(result: PartResult): string[] {
  const { name, runs } = result
  return [
    '',
    `=== ${name} ===`,
    ...(runs.length > 0 ? textTable([['load', ...phaseHeads], ...runs.flatMap(phaseRows)], 2) : []),
    ...runs.flatMap((run) => [
      runLine(run),
      ...run.report.reasons.map(({ class: kind, reason, count }) => `  ${count} × ${kind}: ${reason}`),
    ]),
    ...checksOf(result).map((each) => `${each.passed ? 'ok    ' : 'FAILED'} ${each.name} (${each.seen})`),
    ...faultsOf(result).map((fault) => `  FAILED: ${fault}`),
  ]
}

/** A summary in one line. */
export function verdict(results: readonly PartResult[]): string {
  const { sent, lost, refused, slow, closedIdle, stops } = totalsOf(results)
  const counts = `${stops} pod stops, ${sent} requests: ${lost} lost, ${refused} refused, ${slow} over 1 s, ${closedIdle} connections closed while idle`
  const failed = results.filter((result) => faultsOf(result).length > 0).map(({ name }) => name)
  return failed.length === 0 ? `Passed: ${counts}` : `FAILED (${failed.join(', ')}): ${counts}`
}
