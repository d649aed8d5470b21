import { replaceBetween, tableOf } from '../tools/markdown.ts'
import { type GoalLine, isPeer } from './goals.ts'
import { roundsOf } from './plans.ts'
import type { Report, WorkloadReport } from './report.ts'
import type { Row } from './summary.ts'
import { micros } from './table.ts'
import { loggingSuffix } from './targets.ts'

/**
 * Replaces the text between the marks `<!-- bench: name … -->` and `<!-- /bench -->`.
 *
 * @throws Error when the document has no such marks.
 */
export function replaceMarked(document: string, name: string, text: string): string {
  return replaceBetween(
    document,
    new RegExp(`<!-- bench: ${name}\\b[^>]*-->\\n`),
    '<!-- /bench -->',
    `${text}\n`,
  )
}

/** The goals as a Markdown table. */
export function goalsMarkdown(lines: readonly GoalLine[]): string {
  return tableOf(
    ['', 'work', 'goal', 'Tally', '', 'peers'],
    lines.map(({ row, work, goal, figure, verdict, beside }) => [
      String(row),
      work,
      goal,
      `**${figure}**`,
      verdict === 'missed' ? '**missed**' : verdict,
      beside.join(', '),
    ]),
  )
}

/** Every workload with all its targets, as Markdown. */
export function workloadsMarkdown({ workloads, leftOut, starts }: Report): string {
  return [
    ...workloads.map(workloadMarkdown),
    `Start, exec to the first response from \`/ready\`, medians: ${starts
      .map(({ target, ms, rejected }) => `${target} ${ms ? `${ms.median.toFixed(0)} ms` : rejected}`)
      .join(', ')}.`,
    ...leftOut.map((peer) => `Skipped: ${peer}.`),
  ].join('\n\n')
}

function workloadMarkdown({ workload, title, connections, rows }: WorkloadReport): string {
  const measured = rows.flatMap(({ target, figures }) => (figures ? [{ target, figures }] : []))
  measured.sort((a, b) => a.figures.cpuMicrosPerRequest - b.figures.cpuMicrosPerRequest)
  const remarks = rows.flatMap(({ target, notes, rejected }) => [
    ...notes.map((note) => `${target}: ${note}.`),
    ...(rejected ? [`${target} was rejected: ${rejected}.`] : []),
  ])
  return [
    `**${workload}**: ${title}, ${connections} in flight`,
    tableOf(
      ['', 'CPU/request', 'bare = 1', 'middle half', 'requests/s', 'p50', 'p99'],
      measured.map(({ target, figures: f }) => [
        target.startsWith('tally') ? `**${target}**` : target,
        micros(f.cpuMicrosPerRequest),
        f.ratio?.median.toFixed(2) ?? '-',
        f.ratio ? `${f.ratio.lowerQuartile.toFixed(2)}–${f.ratio.upperQuartile.toFixed(2)}` : '-',
        Math.round(f.requestsPerSecond).toLocaleString('en'),
        micros(f.latencyMsP50 * 1e3),
        micros(f.latencyMsP99 * 1e3),
      ]),
    ),
    ...remarks,
  ].join('\n\n')
}

/** The README's paragraph: Tally's figures, the faster peers and the number of goals met. */
export function summaryMarkdown(report: Report, goals: readonly GoalLine[]): string {
  const ratio = (workload: string, target: string): string =>
    report.workloads
      .find((each) => each.workload === workload)
      ?.rows.find((row) => row.target === target)
      ?.figures?.ratio?.median.toFixed(2) ?? '-'
  const sizes = ['small', 'medium', 'large', 'huge'].map(
    (workload) => `${ratio(workload, 'tally')}× ${workload}`,
  )
  const measured = goals.filter(({ verdict }) => verdict !== 'not measured')
  const met = measured.filter(({ verdict }) => verdict === 'met')
  return (
    `CPU time per request relative to a bare \`Bun.serve\`: ${sizes.join(', ')} ` +
    `(${ratio('small', `tally${loggingSuffix}`)}× small with an access log). ${fasterPeers(report)} ` +
    `Tally meets ${met.length} of the ${measured.length} measured goals ([when and where](docs/performance.md)).`
  )
}

/** Names the peers that take less CPU time than Tally, with the payload sizes. */
function fasterPeers({ workloads }: Report): string {
  const sizesOf = new Map<string, string[]>()
  for (const { workload, rows } of workloads) {
    const ratioOf = (row: Row | undefined): number => row?.figures?.ratio?.median ?? Infinity
    const own = ratioOf(rows.find(({ target }) => target === 'tally'))
    for (const row of rows)
      if (isPeer(row) && !row.target.endsWith(loggingSuffix) && ratioOf(row) < own)
        sizesOf.set(row.target, [...(sizesOf.get(row.target) ?? []), workload])
  }
  const peers = [...sizesOf].map(([peer, sizes]) => `${peer} (${sizes.join(', ')})`)
  return peers.length === 0
    ? 'No peer takes less CPU time than Tally.'
    : `Peers that take less CPU time than Tally: ${peers.join('; ')}.`
}

/** Date and machine of the measurement; figures mean nothing without them. */
export function provenance({ date, machine, plans }: Report): string {
  return (
    `Measured on ${date.slice(0, 10)} with Bun ${machine.bun} on ${machine.cores} shared cores of an ` +
    `${machine.cpu.replaceAll('(R)', '')} (server on one, load on the other), medians of ` +
    `${roundsOf(plans)}; load average at start ${machine.loadAverage.toFixed(2)}.`
  )
}
