/**
 * The lines that the reports of run.ts and of a plain `k6 run` share. This file uses neither k6 nor Bun.
 */

/** The data of the first lines of a report. Times are in seconds. */
export type KnownReport = {
  sent: number
  seconds: number
  /** Requests that are lost or unaccounted for. */
  fatal: number
  refused: number
  /** Null if no request was answered. */
  times: { min: number; max: number; avg: number; p95: number; p99: number } | null
  concurrency: number
  pods: PodRow[]
}

/** One line of the table: the service's numbers, or the client's if there are none. */
export type PodRow = {
  name: string
  requests: number
  errors: number
  /** NaN if unknown. */
  avgSeconds: number
  /** Responses that the client saw; null if the other numbers are the client's too. */
  clientSaw: number | null
}

/** The first lines of a report. Their format is fixed, because existing scripts parse them. */
export function knownLines(report: KnownReport): string[] {
  const { times } = report
  return [
    `Sent ${report.sent} requests in ${report.seconds.toFixed(2)}s`,
    `Fatal errors: ${report.fatal}`,
    `Connection errors (pre-flight): ${report.refused}`,
    times
      ? `Response time: min=${inSeconds(times.min)}, max=${inSeconds(times.max)}, avg=${inSeconds(times.avg)}, p95=${inSeconds(times.p95)}, p99=${inSeconds(times.p99)}`
      : 'Response time: n/a (no request answered)',
    '',
    `--- Per-Pod /payload Metrics Report (CONCURRENCY=${report.concurrency}) ---`,
    ...report.pods.map(podLine),
  ]
}

function podLine({ name, requests, errors, avgSeconds, clientSaw }: PodRow): string {
  const rate = requests === 0 ? 0 : (100 * errors) / requests
  const line = `Pod: ${name}  | /payload Requests: ${requests} | Errors: ${errors} | Error Rate: ${rate.toFixed(2)}% | Avg /payload Latency: ${inSeconds(avgSeconds, 6)}`
  return clientSaw === null ? line : `${line} | Client saw: ${clientSaw}`
}

/** The equation of the counts, with the difference if it does not hold. */
export function identityText(counts: {
  sent: number
  answered: number
  refused: number
  lost: number
}): string {
  const { sent, answered, refused, lost } = counts
  const sum = `answered ${answered} + refused ${refused} + lost ${lost}`
  const unaccounted = sent - answered - refused - lost
  return unaccounted === 0 ? `sent ${sent} = ${sum}` : `sent ${sent} ≠ ${sum}: ${unaccounted} unaccounted for`
}

/** The count of connections closed while idle, exact or as an upper limit: `0`, `3`, `at most 3 (…)`. */
export function closedIdleText({
  closedIdle,
  closedIdleExact,
}: {
  closedIdle: number
  closedIdleExact: boolean
}): string {
  if (closedIdle === 0 || closedIdleExact) return String(closedIdle)
  return `at most ${closedIdle} (includes announced closes, because this server does not send Connection: keep-alive)`
}

export function inSeconds(seconds: number, digits = 4): string {
  return Number.isFinite(seconds) ? `${seconds.toFixed(digits)}s` : 'n/a'
}
