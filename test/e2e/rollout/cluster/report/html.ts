import { escapeMarkup } from '../../../../../load/report/markup.ts'
import { phaseHeads } from '../../report/phase-table.ts'
import { htmlTable, tableStyle } from '../../report/table.ts'
import type { ClusterRun } from '../run.ts'
import { checksOf, faultsOf, type PartResult } from '../verdict.ts'
import { type Circumstances, phaseRows, runLine, verdict } from './text.ts'

/** A page over all parts, with links to each load's report. Needs no external resources. */
export function renderHtml(where: Circumstances, results: readonly PartResult[]): string {
  const failed = results.some((result) => faultsOf(result).length > 0)
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Cluster test</title>
<style>
${tableStyle}</style>
<h1>Cluster test</h1>
<p>${escapeMarkup(where.startedAt)}, ${where.minutes.toFixed(0)} minutes. ${escapeMarkup(where.cluster)}. Images ${escapeMarkup(where.images.join(' and '))}.</p>
<p class="${failed ? 'failed' : ''}">${escapeMarkup(verdict(results))}</p>
${results.map(partSection).join('\n')}
</html>
`
}

function partSection(result: PartResult): string {
  const { name, runs } = result
  const all = checksOf(result)
  return `<h2>${escapeMarkup(name)}</h2>
${faultsOf(result)
  .map((fault) => `<p class="failed">${escapeMarkup(fault)}</p>`)
  .join('\n')}
${runs.map(runSection).join('\n')}
${
  all.length === 0
    ? ''
    : htmlTable(
        ['check', '', 'seen'],
        all.map((each) => [each.name, each.passed ? 'passed' : 'FAILED', each.seen]),
      )
}`
}

function runSection(run: ClusterRun): string {
  const stops = new Map(run.stops.map((stop) => [stop.name, stop]))
  return `<h3><a href="${encodeURIComponent(run.name)}/report.html">${escapeMarkup(run.name)}</a></h3>
<p>${escapeMarkup(runLine(run))}.</p>
${htmlTable(
  phaseHeads,
  phaseRows(run).map((row) => row.slice(1)),
)}
<details><summary>Its ${run.pods.length} pods</summary>
${htmlTable(
  ['pod', 'by X-Served-By', 'by Prometheus', 'exit code'],
  run.pods.map(({ name, client, prometheus }) => [
    name,
    String(client),
    String(prometheus),
    stops.has(name) ? String(stops.get(name)?.exitCode ?? 'not seen') : 'still runs',
  ]),
)}
</details>`
}
