import { closedIdleText, knownLines, type PodRow, inSeconds as s } from './lines.ts'
import type { InstanceRow, Report } from './report.ts'

/**
 * Renders the report for a terminal. The lines down to the table have a fixed format, because existing scripts parse
 * them.
 */
export function renderText(report: Report): string {
  const { summary, times } = report
  const lines = [
    ...knownLines({
      sent: summary.sent,
      seconds: report.seconds,
      fatal: summary.lost + report.unaccounted,
      refused: summary.refused,
      times,
      concurrency: report.concurrency,
      pods: report.instances.map(toPodRow),
    }),
    report.agreement.text,
    ...report.agreement.notes.map((note) => `  ${note}`),
    '',
    `Identity: ${report.identity}`,
    ...(summary.refused > 0
      ? ['  refused: the connection failed before anything was sent; a client can safely retry']
      : []),
    ...(report.versions.length > 0 ? [`Service: ${report.versions.join(', then ')}`] : []),
    `Slow responses (over 1 s): ${summary.slow}`,
    `Connections closed while idle: ${closedIdleText(summary)}`,
    ...(summary.closedIdle > 0
      ? ['  closed while idle: the server closed an idle connection; the next request opened a new one']
      : []),
    ...(times
      ? [
          `Throughput: ${report.requestsPerSecond.toFixed(0)} responses/s, median=${s(times.median)}, stdev=${s(times.stdev)}: ${report.grade}`,
        ]
      : []),
    ...sizeLines(report),
    ...(summary.notStarted > 0
      ? [`Not started: ${summary.notStarted} (no user was free: the load stayed below the configured rate)`]
      : []),
    ...phaseLines(report),
    ...reasonLines(report),
    ...failureLines(report),
  ]
  return `${lines.join('\n')}\n`
}

function toPodRow({ name, client, service }: InstanceRow): PodRow {
  const { requests, errors, avgSeconds } = service ?? {
    requests: client?.answers ?? 0,
    errors: client?.errors ?? 0,
    avgSeconds: client?.avgSeconds ?? Number.NaN,
  }
  return { name, requests, errors, avgSeconds, clientSaw: service ? (client?.answers ?? 0) : null }
}

function sizeLines(report: Report): string[] {
  const sizes = Object.entries(report.timesBySize)
  if (sizes.length < 2) return []
  return sizes.map(
    ([size, times]) =>
      `  ${size}: ${times.count} responses, median=${s(times.median)}, p95=${s(times.p95)}, p99=${s(times.p99)}, max=${s(times.max)}`,
  )
}

function phaseLines(report: Report): string[] {
  if (report.events.length === 0) return []
  return [
    '',
    '--- Phases (by the end time of each request) ---',
    ...report.phases.map(
      (phase) =>
        `${clock(phase.fromMs)} ${phase.label}: answered ${phase.answered}, refused ${phase.refused}, lost ${phase.lost}, slow ${phase.slow}, max=${s(phase.maxSeconds)}`,
    ),
  ]
}

function reasonLines(report: Report): string[] {
  if (report.reasons.length === 0) return []
  return [
    '',
    '--- Not answered ---',
    ...report.reasons.map(({ class: kind, reason, count }) => `${count} × ${kind}: ${reason}`),
    ...report.notAnswered
      .slice(0, 10)
      .map((each) => `  ${clock(each.endedMs)} ${each.requestId} ${each.class}: ${each.reason}`),
  ]
}

function failureLines(report: Report): string[] {
  const failed = report.checks.filter(({ result }) => result === 'failed')
  if (failed.length === 0) return []
  return ['', ...failed.map(({ detail }) => `FAILED: ${detail}`)]
}

function clock(ms: number): string {
  return new Date(ms).toISOString().slice(11, 23)
}
