import { totalMsOf } from './instance-times.ts'
import { closedIdleText, identityText, knownLines, type PodRow } from './report/lines.ts'

/**
 * k6's own counts, which the scripts pass to run.ts. They are authoritative for the totals; run.ts compares the records
 * (record.ts) with them.
 */

type ThresholdResult = { metric: string; expression: string; passed: boolean }

export type Summary = {
  sent: number
  answered: number
  refused: number
  lost: number
  slow: number
  closedIdle: number
  /** False if `closedIdle` may include announced closes (see journeys.ts). */
  closedIdleExact: boolean
  /** Scheduled requests that never started: no user was free, or the time was over. */
  notStarted: number
  thresholds: ThresholdResult[]
}

/** The relevant part of k6's end-of-test data. */
type SummaryData = {
  metrics: Record<
    string,
    { values: Record<string, number>; thresholds?: Record<string, { ok: boolean }> } | undefined
  >
  /** One check per instance: passes are correct responses, fails are errors. */
  root_group?: { checks: { name: string; passes: number; fails: number }[] }
}

/** Extracts the counts from k6's data. A metric without samples is absent there: its count is 0. */
export function summarize(data: SummaryData): Summary {
  const count = (name: string): number => data.metrics[name]?.values.count ?? 0
  return {
    sent: count('requests_sent'),
    answered: count('requests_answered'),
    refused: count('requests_refused'),
    lost: count('requests_lost'),
    slow: count('answers_slow'),
    closedIdle: count('connections_closed_idle'),
    closedIdleExact: count('keep_alive_announced') > 0,
    notStarted: count('dropped_iterations'),
    thresholds: Object.entries(data.metrics).flatMap(([metric, values]) =>
      Object.entries(values?.thresholds ?? {}).map(([expression, { ok }]) => ({
        metric,
        expression,
        passed: ok,
      })),
    ),
  }
}

/**
 * k6's `handleSummary`: writes the file LOAD_SUMMARY for run.ts, or prints the client-side report of a plain `k6 run`.
 */
export function handleSummary(data: SummaryData): Record<string, string> {
  const file = __ENV.LOAD_SUMMARY
  return file ? { [file]: JSON.stringify(summarize(data)) } : { stdout: renderSummary(data) }
}

/** The report of a plain `k6 run`, from the client's side: the known lines, the totals and a table of instances. */
export function renderSummary(data: SummaryData): string {
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
      concurrency: value('vus_max', 'max') ?? 0,
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
