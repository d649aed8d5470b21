/**
 * What k6 itself counted, as the scripts hand it to run.ts: the authority for the totals. The records
 * (record.ts) are checked against it.
 */

type ThresholdResult = { metric: string; expression: string; passed: boolean }

export type Summary = {
  sent: number
  answered: number
  refused: number
  lost: number
  slow: number
  closedIdle: number
  /** False when closes that the server announced may be in `closedIdle` (journeys.ts says why). */
  closedIdleExact: boolean
  /** Requests of the load shape that were never started: no user was free, or the time was over. */
  notStarted: number
  thresholds: ThresholdResult[]
}

/** The part of k6's end-of-test data that is read here. */
type SummaryData = {
  metrics: Record<
    string,
    { values: Record<string, number>; thresholds?: Record<string, { ok: boolean }> } | undefined
  >
}

/** A metric without a single sample is absent from k6's data: its count is 0. */
export function summarize(data: SummaryData): Summary {
  const count = (name: string): number => data.metrics[name]?.values.count ?? 0
  return {
    sent: count('requests_sent'),
    answered: count('requests_answered'),
    refused: count('requests_refused'),
    lost: count('requests_lost'),
    slow: count('answers_slow'),
    closedIdle: count('connections_closed_idle'),
    closedIdleExact: count('keep_alive_said') > 0,
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
 * k6's `handleSummary`: for run.ts a file (LOAD_SUMMARY names it), for a plain `k6 run` the counts as text.
 */
export function handleSummary(data: SummaryData): Record<string, string> {
  const summary = summarize(data)
  const file = __ENV.LOAD_SUMMARY
  if (file) return { [file]: JSON.stringify(summary) }
  const failed = summary.thresholds.filter(({ passed }) => !passed)
  return {
    stdout: [
      `sent ${summary.sent} = answered ${summary.answered} + refused before sending ${summary.refused} + lost ${summary.lost}`,
      `slow answers ${summary.slow}, connections closed while idle ${closedIdleText(summary)}, not started ${summary.notStarted}`,
      ...failed.map(({ metric, expression }) => `threshold crossed: ${metric} ${expression}`),
      '',
    ].join('\n'),
  }
}

/** The count of connections closed while idle, with what it is worth: `0`, `3`, `at most 3 (…)`. */
export function closedIdleText({ closedIdle, closedIdleExact }: Summary): string {
  if (closedIdle === 0 || closedIdleExact) return String(closedIdle)
  return `at most ${closedIdle} (this server does not say Connection: keep-alive, so closes that it announced are among them)`
}
