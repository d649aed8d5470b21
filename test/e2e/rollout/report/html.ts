import { escapeMarkup } from '../../../../load/report/markup.ts'
import { htmlTable, tableStyle } from './table.ts'
import { type Judged, phaseRows, verdict } from './text.ts'

/** A page over all runs, with links to each load's report. Needs no external resources. */
export function renderHtml(program: string, judged: readonly Judged[]): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Rollout under load</title>
<style>
${tableStyle}</style>
<h1>Rollout under load: ${escapeMarkup(program)}</h1>
<p class="${judged.some(({ faults }) => faults.length > 0) ? 'failed' : ''}">${escapeMarkup(verdict(judged))}</p>
${judged.map(section).join('\n')}
</html>
`
}

function section({ run, faults }: Judged): string {
  const { name, ratePerSecond, capacityPerSecond, instances } = run
  const capacity = capacityPerSecond === null ? '' : ` of at most ${capacityPerSecond.toFixed(0)}`
  return `<h2><a href="${encodeURIComponent(name)}/report.html">${escapeMarkup(name)}</a></h2>
<p>${ratePerSecond} requests a second${capacity}.</p>
${faults.map((fault) => `<p class="failed">${escapeMarkup(fault)}</p>`).join('\n')}
${htmlTable(
  ['phase', 'sent', 'answered', 'refused', 'lost', 'slow', 'closed while idle', 'max'],
  phaseRows(run).map((row) => row.slice(2)),
)}
${htmlTable(
  ['instance', 'client', 'Prometheus', 'access log', 'exit code', 'stop took'],
  instances.map((each) => [
    each.name,
    String(each.client),
    String(each.prometheus),
    String(each.log),
    String(each.exitCode),
    `${each.stopSeconds.toFixed(1)} s`,
  ]),
)}`
}
