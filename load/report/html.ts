import { countsChart, type Line, type Marker, timesChart } from './chart.ts'
import { escapeMarkup } from './markup.ts'
import type { Check, InstanceRow, Report } from './report.ts'

const instanceColors = 8

/**
 * Renders the report as one self-contained HTML page: inline SVG charts, no script, no external URL. It still opens
 * years later from an archive.
 */
export function renderHtml(report: Report): string {
  const { summary, times } = report
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Load ${escapeMarkup(report.profile)}: ${summary.lost} lost of ${summary.sent}</title>
<style>${style}</style>
<main>
<h1>${escapeMarkup(report.profile)} <small>${escapeMarkup(report.target)}, ${escapeMarkup(report.startedAt)}, connections: ${escapeMarkup(report.connection)}, payloads: ${escapeMarkup(report.size)}${report.versions.map((version) => `, version ${escapeMarkup(version)}`).join('')}</small></h1>
<p class="verdict ${report.exitCode === 0 ? 'good' : 'bad'}">${verdict(report)}</p>
<dl class="figures">
${figure('sent', summary.sent)}
${figure('answered', summary.answered)}
${figure('refused before sending', summary.refused, summary.refused > 0)}
${figure('lost', summary.lost, summary.lost > 0)}
${figure('unaccounted for', report.unaccounted, report.unaccounted !== 0)}
${figure('slow (over 1 s)', summary.slow, summary.slow > 0)}
${figure(summary.closedIdleExact ? 'closed while idle' : 'closed while idle (at most)', summary.closedIdle, summary.closedIdle > 0)}
${figure('responses/s', Math.round(report.requestsPerSecond))}
</dl>
<p class="terms"><b>Refused before sending</b>: the connection failed before anything was sent, so nothing is lost and a client can
safely retry. <b>Lost</b>: sent but not answered completely and correctly. <b>Closed while idle</b>: the server closed an
idle connection; the next request opened a new one.</p>
<p>${escapeMarkup(report.identity)}. ${escapeMarkup(report.agreement.text)}. ${report.agreement.notes.map(escapeMarkup).join('. ')}</p>

<h2>Latency over time</h2>
${latencyChart(report)}
<h2>Requests by instance</h2>
${instanceChart(report)}
<h2>Not answered</h2>
${report.reasons.length === 0 ? '<p>Every request was answered.</p>' : failureChart(report) + reasonTable(report)}

<h2>Instances</h2>
${table(['instance', 'service: requests', 'errors', 'avg', 'client: responses', 'errors', 'avg'], report.instances.map(instanceCells))}
${report.events.length > 0 ? `<h2>Phases</h2>${phaseTable(report)}` : ''}
<h2>Response times</h2>
${timesTable(report)}
<p>${times ? `Grade: ${report.grade}` : ''}</p>
<h2>Checks</h2>
${table(['check', 'result', ''], report.checks.map(checkCells))}
</main>
</html>
`
}

function verdict(report: Report): string {
  const { answered, sent } = report.summary
  if (report.exitCode === 0) return `Passed: ${answered} of ${sent} requests answered, none lost`
  const failed = report.checks.filter(({ result }) => result === 'failed').map(({ detail }) => detail)
  return escapeMarkup(`Failed: ${failed.join('; ')}`)
}

function figure(name: string, value: number, bad = false): string {
  return `<div${bad ? ' class="bad"' : ''}><dt>${escapeMarkup(name)}</dt><dd>${value.toLocaleString('en-US')}</dd></div>`
}

function markersOf(report: Report): Marker[] {
  const startMs = Math.floor(Date.parse(report.startedAt) / 1_000) * 1_000
  return report.events
    .filter(({ atMs }) => atMs >= startMs && atMs <= startMs + (report.seconds + 1) * 1_000)
    .map(({ atMs, label }) => ({ second: (atMs - startMs) / 1_000, label }))
}

function latencyChart(report: Report): string {
  const line = (name: 'p50' | 'p95' | 'p99' | 'max', color: string): Line => ({
    name,
    color: `var(--${color})`,
    values: report.timeline.map((bucket) => bucket[name]),
  })
  return timesChart({
    title: 'Latency over time',
    unit: `per ${report.bucketSeconds} s, logarithmic`,
    step: report.bucketSeconds,
    lines: [line('max', 'c3'), line('p99', 'c1'), line('p95', 'c2'), line('p50', 'c0')],
    markers: markersOf(report),
    format: (seconds) => (seconds >= 1 ? `${seconds} s` : `${Number((seconds * 1_000).toPrecision(3))} ms`),
  })
}

function instanceChart(report: Report): string {
  const names = [...new Set(report.timeline.flatMap(({ instances }) => Object.keys(instances)))].sort()
  return countsChart({
    title: 'Requests by instance',
    unit: `responses per ${report.bucketSeconds} s, by X-Served-By`,
    step: report.bucketSeconds,
    lines: names.map((name, index) => ({
      name,
      color: `var(--c${index % instanceColors})`,
      values: report.timeline.map(({ instances }) => instances[name] ?? 0),
    })),
    markers: markersOf(report),
    format: String,
  })
}

function failureChart(report: Report): string {
  return countsChart({
    title: 'Refused and lost over time',
    unit: `requests per ${report.bucketSeconds} s`,
    step: report.bucketSeconds,
    lines: [
      { name: 'lost', color: 'var(--c3)', values: report.timeline.map(({ lost }) => lost) },
      {
        name: 'refused before sending',
        color: 'var(--c1)',
        values: report.timeline.map(({ refused }) => refused),
      },
    ],
    markers: markersOf(report),
    format: String,
  })
}

function reasonTable(report: Report): string {
  const reasons = report.reasons.map(({ class: kind, reason, count }) => [kind, reason, String(count)])
  const first = report.notAnswered.map((each) => [
    new Date(each.endedMs).toISOString(),
    each.requestId,
    each.class,
    each.reason,
  ])
  return `${table(['class', 'reason', 'count'], reasons)}<details><summary>The first ${first.length}</summary>${table(['ended', 'request', 'class', 'reason'], first)}</details>`
}

function phaseTable(report: Report): string {
  return table(
    ['from', 'phase', 'answered', 'refused', 'lost', 'slow', 'max'],
    report.phases.map((phase) => [
      new Date(phase.fromMs).toISOString().slice(11, 23),
      phase.label,
      String(phase.answered),
      String(phase.refused),
      String(phase.lost),
      String(phase.slow),
      ms(phase.maxSeconds),
    ]),
  )
}

function timesTable(report: Report): string {
  return table(
    ['payload', 'responses', 'min', 'median', 'avg', 'stdev', 'p95', 'p99', 'max'],
    Object.entries(report.timesBySize).map(([size, times]) => [
      size,
      String(times.count),
      ...[times.min, times.median, times.avg, times.stdev, times.p95, times.p99, times.max].map(ms),
    ]),
  )
}

function instanceCells({ name, client, service }: InstanceRow): string[] {
  return [
    name,
    service ? String(service.requests) : 'n/a',
    service ? String(service.errors) : 'n/a',
    service ? ms(service.avgSeconds) : 'n/a',
    client ? String(client.answers) : '0',
    client ? String(client.errors) : '0',
    client ? ms(client.avgSeconds) : 'n/a',
  ]
}

function checkCells({ name, result, detail }: Check): string[] {
  return [name, result, detail]
}

function table(heads: string[], rows: string[][]): string {
  const cells = (tag: string, values: string[]) =>
    values.map((value) => `<${tag}>${escapeMarkup(value)}</${tag}>`).join('')
  return `<div class="wide"><table><thead><tr>${cells('th', heads)}</tr></thead><tbody>${rows.map((row) => `<tr>${cells('td', row)}</tr>`).join('')}</tbody></table></div>`
}

function ms(seconds: number): string {
  return Number.isFinite(seconds) ? `${(seconds * 1_000).toFixed(2)} ms` : 'n/a'
}

const style = `
:root{color-scheme:light dark;--text:#1c2430;--soft:#5b6675;--page:#fff;--card:#f4f6f8;--line:#d9dee5;--bad:#b3261e;--good:#1b6e3c;
--c0:#2563a8;--c1:#c2700a;--c2:#1f7a54;--c3:#b3261e;--c4:#7a4fb0;--c5:#0e7f8c;--c6:#a03d78;--c7:#6b7280}
@media(prefers-color-scheme:dark){:root{--text:#e6e9ee;--soft:#9aa5b4;--page:#14181e;--card:#1e242c;--line:#333c48;--bad:#ff8a80;--good:#7bd8a0;
--c0:#7cb4f2;--c1:#f0b054;--c2:#66cfa0;--c3:#ff8a80;--c4:#c3a3f0;--c5:#62d0dc;--c6:#ee9ccb;--c7:#a3acb9}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--text);font:15px/1.5 system-ui,sans-serif}
main{max-width:1000px;margin:0 auto;padding:24px 20px 48px}
h1{font-size:24px;margin:0 0 8px}h1 small{display:block;font-size:13px;font-weight:400;color:var(--soft)}
h2{font-size:17px;margin:32px 0 8px}
.verdict{font-weight:600;font-size:17px}.good{color:var(--good)}.verdict.bad,.bad dd{color:var(--bad)}
.figures{display:grid;grid-template-columns:repeat(auto-fill,minmax(150px,1fr));gap:8px;margin:16px 0}
.figures div{background:var(--card);border-radius:6px;padding:10px 12px}
dt{font-size:12px;color:var(--soft)}dd{margin:0;font-size:21px;font-variant-numeric:tabular-nums}
svg{display:block;width:100%;height:auto}
svg text{font:11px system-ui,sans-serif;fill:var(--soft)}svg text.marker{fill:var(--text)}
.grid{stroke:var(--line)}.marker{stroke:var(--soft);stroke-dasharray:3 3}text.marker{stroke:none}
polygon{stroke:var(--page);stroke-width:.6;opacity:.85}
polyline{fill:none;stroke-width:1.6;stroke-linejoin:round}
.legend{display:flex;flex-wrap:wrap;gap:4px 16px;margin:4px 0;font-size:13px}
.legend i{display:inline-block;width:12px;height:8px;border-radius:2px;margin-right:6px;}.unit{color:var(--soft)}
.wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:4px 16px 4px 0;border-bottom:1px solid var(--line);white-space:nowrap}th{font-size:12px;color:var(--soft);font-weight:600}
`
