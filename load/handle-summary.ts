/**
 * What k6 does at the end of every script.
 */

import exec from 'k6/execution'
import { totalMsOf } from './instance-times.ts'
import { usersOf } from './profiles.ts'
import { closedIdleText, identityText, knownLines, type PodRow } from './report/lines.ts'
import { type SummaryData, summarize } from './summary.ts'

/**
 * k6's `handleSummary`: writes the file LOAD_SUMMARY for run.ts, or prints the client-side report of a plain `k6 run`.
 */
export function handleSummary(data: SummaryData): Record<string, string> {
  const file = __ENV.LOAD_SUMMARY
  return file
    ? { [file]: JSON.stringify(summarize(data)) }
    : { stdout: renderSummary(data, usersOf(exec.test.options.scenarios)) }
}

/**
 * The report of a plain `k6 run`, from the client's side: the known lines, the totals and a table of instances.
 *
 * @param concurrency the number of users. k6's metric `vus_max` has no value in a run of less than a second.
 */
function renderSummary(data: SummaryData, concurrency: number): string {
  const summary = summarize(data)
  const value = (metric: string, name: string): number | undefined => data.metrics[metric]?.values[name]
  const time = (name: string): number => (value('answer_time', name) ?? Number.NaN) / 1_000
  const failed = summary.thresholds.filter(({ passed }) => !passed)
  return [
    'Sending load...',
    ...knownLines({
      sent: summary.sent,
      seconds: ((value('request_clock', 'max') ?? 0) - (value('request_clock', 'min') ?? 0)) / 1_000,
      fatal: summary.sent - summary.answered - summary.refused,
      refused: summary.refused,
      times:
        summary.answered === 0
          ? null
          : { min: time('min'), max: time('max'), avg: time('avg'), p95: time('p(95)'), p99: time('p(99)') },
      concurrency,
      pods: podRows(data),
    }),
    "Client-side counts only, by X-Served-By; load/run.ts also reads the service's own counts",
    '',
    `Identity: ${identityText(summary)}`,
    `Slow responses (over 1 s): ${summary.slow}`,
    `Connections closed while idle: ${closedIdleText(summary)}`,
    ...(summary.notStarted > 0 ? [`Not started: ${summary.notStarted}`] : []),
    ...failed.map(({ metric, expression }) => `FAILED: threshold ${metric} ${expression}`),
    '',
  ].join('\n')
}

function podRows({ metrics, root_group }: SummaryData): PodRow[] {
  const checks = root_group?.checks ?? []
  const names = checks.map(({ name }) => name)
  return checks
    .map(({ name, passes, fails }) => {
      const totalMs = totalMsOf(name, names, (counter) => metrics[counter]?.values.count ?? 0)
      return {
        name,
        requests: passes + fails,
        errors: fails,
        avgSeconds: (totalMs ?? Number.NaN) / (passes + fails) / 1_000,
        clientSaw: null,
      }
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}
