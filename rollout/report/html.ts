import { escapeMarkup } from '../../load/report/markup.ts'
import { type Judged, phaseRows, verdict } from './text.ts'

/** A page over all runs that leads to each load's own report. It needs nothing from outside. */
export function renderHtml(program: string, judged: readonly Judged[]): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Rollout under load</title>
<style>
:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,sans-serif;max-width:1000px;margin:0 auto;padding:24px 20px}
div{overflow-x:auto}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:3px 14px 3px 0;text-align:left;border-bottom:1px solid #8884}
.failed{color:#b3261e;font-weight:600}
</style>
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
${table(
  ['phase', 'sent', 'answered', 'refused', 'lost', 'slow', 'closed while idle', 'max'],
  phaseRows(run).map((row) => row.slice(2)),
)}
${table(
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

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = (tag: string, values: readonly string[]): string =>
    values.map((value) => `<${tag}>${escapeMarkup(value)}</${tag}>`).join('')
  return `<div><table><tr>${cells('th', heads)}</tr>${rows.map((row) => `<tr>${cells('td', row)}</tr>`).join('')}</table></div>`
}
