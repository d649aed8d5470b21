import { sumOf } from '../phases.ts'
import type { Check } from './check.ts'
import type { ClusterRun } from './run.ts'

/** The results of one part of the test. */
export interface PartResult {
  readonly name: string
  readonly runs: readonly ClusterRun[]
  readonly checks: readonly Check[]
  /** Whether its loads must lose nothing; false for controls, which must lose something. */
  readonly mustLoseNothing: boolean
}

/** The checks of a part, without the counts of its loads. */
export function checksOf({ runs, checks }: PartResult): Check[] {
  return [...checks, ...runs.flatMap((run) => run.checks)]
}

/** The violations of a part as sentences. Empty if nothing was lost. */
export function faultsOf(result: PartResult): string[] {
  const failed = checksOf(result).filter(({ passed }) => !passed)
  return [
    ...(result.mustLoseNothing ? result.runs.flatMap(runFaults) : []),
    ...failed.map(({ name, seen }) => `${name}: ${seen}`),
  ]
}

/** The losses of one load as sentences. */
export function runFaults(run: ClusterRun): string[] {
  const faults: string[] = []
  for (const { phase, lost, refused, slow, closedIdle } of run.phases) {
    if (lost > 0) faults.push(`${phase}: ${lost} lost`)
    if (refused > 0) faults.push(`${phase}: ${refused} refused`)
    if (slow > 0) faults.push(`${phase}: ${slow} answered after more than 1 s`)
    if (closedIdle > 0) faults.push(`${phase}: ${closedIdle} connections closed while idle, without warning`)
  }
  const { answered } = run.report.summary
  if (answered === 0) faults.push('nothing was answered')
  if (!run.inTime) faults.push('the load was over before everything was done: give it a longer DURATION')
  for (const { name, exitCode, restarts } of run.stops) {
    if (exitCode !== 0) faults.push(`${name} ended with ${exitCode ?? 'an unknown code'}`)
    if (restarts > 0) faults.push(`${name} was restarted ${restarts} times`)
  }
  for (const witness of ['client', 'prometheus'] as const) {
    const sum = run.pods.reduce((total, pod) => total + pod[witness], 0)
    if (sum !== answered) faults.push(`sum over the pods by ${witness}: ${sum}, answered ${answered}`)
  }
  for (const { name, client, prometheus } of run.pods) {
    if (client !== prometheus) faults.push(`${name}: ${client} by the client, ${prometheus} by Prometheus`)
  }
  return faults.map((fault) => `${run.name}: ${fault}`)
}

/** The sums over all loads that must lose nothing. */
export interface Totals {
  readonly sent: number
  readonly answered: number
  readonly refused: number
  readonly lost: number
  readonly slow: number
  readonly closedIdle: number
  readonly maxMs: number
  /** Pods that served requests or ran tasks and were stopped under load. */
  readonly stops: number
}

/** Adds up the loads of the parts that must lose nothing. */
export function totalsOf(results: readonly PartResult[]): Totals {
  const runs = results.filter(({ mustLoseNothing }) => mustLoseNothing).flatMap((part) => part.runs)
  const { phase: _, ...sum } = sumOf(
    runs.flatMap(({ phases }) => phases),
    'all',
  )
  return { ...sum, stops: runs.reduce((total, { stops }) => total + stops.length, 0) }
}
