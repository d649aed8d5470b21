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
export type SummaryData = {
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
