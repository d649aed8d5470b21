/**
 * The lines that the report of run.ts and a plain `k6 run` have in common. It uses neither k6 nor Bun.
 */

/** What the first lines of a report say. Times are in seconds. */
export type KnownReport = {
  sent: number
  seconds: number
  /** Requests lost, or filed nowhere. */
  fatal: number
  refused: number
  /** Null when nothing was answered. */
  times: { min: number; max: number; avg: number; p95: number; p99: number } | null
  concurrency: number
  pods: PodRow[]
}

/** One line of the table. Without the service's side the client's numbers stand in. */
export type PodRow = {
  name: string
  requests: number
  errors: number
  /** NaN when it is not known. */
  avgSeconds: number
  /** Answers that the client saw, beside the service's own count; null without that. */
  clientSaw: number | null
}

/** The known report's lines, word for word, for scripts that read them. */
export function knownLines(report: KnownReport): string[] {
  const { times } = report
  return [
    `Sent ${report.sent} requests in ${report.seconds.toFixed(2)}s`,
    `Fatal errors: ${report.fatal}`,
    `Connection errors (pre-flight): ${report.refused}`,
    times
      ? `Response time: min=${inSeconds(times.min)}, max=${inSeconds(times.max)}, avg=${inSeconds(times.avg)}, p95=${inSeconds(times.p95)}, p99=${inSeconds(times.p99)}`
      : 'Response time: nothing was answered',
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

/** The identity of the counts, and by how much it does not hold. */
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

/** The count of connections closed while idle, with what it is worth: `0`, `3`, `at most 3 (…)`. */
export function closedIdleText({
  closedIdle,
  closedIdleExact,
}: {
  closedIdle: number
  closedIdleExact: boolean
}): string {
  if (closedIdle === 0 || closedIdleExact) return String(closedIdle)
  return `at most ${closedIdle} (this server does not say Connection: keep-alive, so closes that it announced are among them)`
}

export function inSeconds(seconds: number, digits = 4): string {
  return Number.isFinite(seconds) ? `${seconds.toFixed(digits)}s` : 'n/a'
}
