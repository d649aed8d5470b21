import { escapeCell, tableOf } from '../../../../../tools/markdown.ts'
import { type PhaseCounts, sumOf } from '../../phases.ts'
import { phaseHeads, phaseRow } from '../../report/phase-table.ts'
import type { Check } from '../check.ts'
import { checksOf, type PartResult } from '../verdict.ts'
import { type Circumstances, podSums, verdict } from './text.ts'

/** The figures for a document: each part's loads, and each phase summed over its loads. */
export function renderMarkdown(where: Circumstances, results: readonly PartResult[]): string {
  return [
    `On ${where.startedAt.slice(0, 10)}, ${where.cluster}, in ${where.minutes.toFixed(0)} minutes:`,
    '',
    `**${verdict(results)}.**`,
    ...results.flatMap(partLines),
    '',
  ].join('\n')
}

function partLines(result: PartResult): string[] {
  const { name, runs } = result
  const phases = Map.groupBy(
    runs.flatMap((run) => run.phases),
    ({ phase }) => phase,
  )
  const sums: PhaseCounts[] = [...phases].map(([phase, counts]) => sumOf(counts, phase))
  const checks = checksOf(result)
  return [
    '',
    `### ${name}`,
    ...(runs.length === 0
      ? []
      : [
          '',
          table(
            ['load', 'pods', 'stopped', ...phaseHeads.slice(1), 'by the client', 'by Prometheus'],
            runs.map((run) => {
              const { client, prometheus } = podSums(run.pods)
              return [
                run.name,
                String(run.pods.length),
                String(run.stops.length),
                ...phaseRow(sumOf(run.phases, 'all')).slice(1),
                String(client),
                String(prometheus),
              ]
            }),
          ),
          '',
          table(phaseHeads, sums.map(phaseRow)),
        ]),
    ...(checks.length === 0 ? [] : ['', table(['check', 'result'], merged(checks))]),
  ]
}

/** The same check of several loads becomes one row. */
function merged(checks: readonly Check[]): string[][] {
  return [...Map.groupBy(checks, ({ name }) => name)].map(([name, same]) => [
    name,
    [...new Set(same.map(({ passed, seen }) => (passed ? seen : `**failed**: ${seen}`)))].join('; '),
  ])
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  return tableOf(
    heads,
    rows.map((row) => row.map(escapeCell)),
  )
}
