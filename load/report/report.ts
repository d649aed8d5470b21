import type { LoadEvent } from '../events.ts'
import type { ServiceCounts, ServiceView } from '../service-side.ts'
import type { Settings } from '../settings.ts'
import type { Summary } from '../summary.ts'
import { identityText } from './lines.ts'
import type { ClientView, Tally } from './tally.ts'

/**
 * A demand on the run, with what was found: a sentence that stands alone, because a failure is shown by it.
 * `skipped` was not judged, for the reason that `detail` gives.
 */
export type Check = { name: string; result: 'passed' | 'failed' | 'skipped'; detail: string }

export type InstanceRow = { name: string; client: ClientView | null; service: ServiceView | null }

/** Everything that a report shows, and the whole of report.json. */
export type Report = {
  profile: string
  target: string
  /** Version and revision by the service's own `/version`, at the start and, if it is another by then, at the end. */
  versions: string[]
  concurrency: number
  connection: string
  size: string
  startedAt: string
  seconds: number
  requestsPerSecond: number
  summary: Summary
  /** Sent, and filed under no class: their users were stopped, by a signal or a crash of k6. */
  unaccounted: number
  identity: string
  times: Tally['times']
  timesBySize: Tally['timesBySize']
  reasons: Tally['reasons']
  notAnswered: Tally['notAnswered']
  instances: InstanceRow[]
  /** The service's own count beside the client's; `source` is null when there is none. */
  agreement: { source: string | null; agree: boolean | null; text: string; notes: string[] }
  events: LoadEvent[]
  phases: Tally['phases']
  bucketSeconds: number
  timeline: Tally['timeline']
  grade: Grade
  checks: Check[]
  exitCode: 0 | 1 | 2
}

export type Grade = 'EXCELLENT' | 'GOOD' | 'ACCEPTABLE' | 'NEEDS IMPROVEMENT'

/**
 * The report of a run, with its verdict: 0 when every check passed, 1 when the service was not reached
 * (not one answer, and nothing lost), 2 otherwise.
 */
export function buildReport(run: {
  profile: string
  settings: Settings
  concurrency: number
  summary: Summary
  tally: Tally
  service: ServiceCounts
  versions: string[]
  events: LoadEvent[]
}): Report {
  const { settings, summary, tally, service } = run
  const unaccounted = summary.sent - summary.answered - summary.refused - summary.lost
  const agreement = compare(summary, tally, service)
  const checks = [
    ...identityChecks(summary, tally, unaccounted),
    refusedCheck(summary, settings.refusedMax),
    ...thresholdChecks(summary),
    sumCheck(agreement, settings.requireSum),
  ]
  const unreachable = summary.answered === 0 && summary.lost === 0 && unaccounted === 0
  const failed = checks.some(({ result }) => result === 'failed')
  const seconds = (tally.endedMs - tally.startedMs) / 1_000
  return {
    profile: run.profile,
    target: settings.payloadUrl,
    versions: run.versions,
    concurrency: run.concurrency,
    connection: settings.connection,
    size: settings.size,
    startedAt: new Date(tally.startedMs).toISOString(),
    seconds,
    requestsPerSecond: seconds > 0 ? summary.answered / seconds : 0,
    summary,
    unaccounted,
    identity: identityText(summary),
    times: tally.times,
    timesBySize: tally.timesBySize,
    reasons: tally.reasons,
    notAnswered: tally.notAnswered,
    instances: instanceRows(tally, service),
    agreement,
    events: run.events,
    phases: tally.phases,
    bucketSeconds: tally.bucketSeconds,
    timeline: tally.timeline,
    grade: failed ? 'NEEDS IMPROVEMENT' : gradeOf(summary, tally.times?.p95 ?? null),
    checks,
    exitCode: unreachable ? 1 : failed ? 2 : 0,
  }
}

/**
 * A word for people in a hurry, by the 95th percentile: below 100 ms, 500 ms, 1 s. A run that lost
 * anything, or failed otherwise, needs improvement, however fast it was.
 */
export function gradeOf(summary: Summary, p95Seconds: number | null): Grade {
  if (summary.lost > 0 || p95Seconds === null || p95Seconds >= 1) return 'NEEDS IMPROVEMENT'
  if (p95Seconds < 0.1) return 'EXCELLENT'
  return p95Seconds < 0.5 ? 'GOOD' : 'ACCEPTABLE'
}

function identityChecks(summary: Summary, tally: Tally, unaccounted: number): Check[] {
  const { counts } = tally
  const recorded =
    counts.answered === summary.answered && counts.refused === summary.refused && counts.lost === summary.lost
  return [
    check('no request is lost', summary.lost === 0, `${summary.lost} of ${summary.sent} requests lost`),
    check(
      'sent = answered + refused + lost',
      unaccounted === 0,
      unaccounted === 0 ? identityText(summary) : `the counts do not add up: ${identityText(summary)}`,
    ),
    check(
      'the records are complete',
      recorded,
      `requests.csv has ${counts.answered} answered, ${counts.refused} refused, ${counts.lost} lost; k6 counted ${summary.answered}, ${summary.refused}, ${summary.lost}`,
    ),
    check(
      'the service answers',
      summary.answered > 0,
      `${summary.answered} of ${summary.sent} requests answered`,
    ),
  ]
}

/** A service that is gone loses nothing, because it refuses everything. */
function refusedCheck({ refused, sent }: Summary, refusedMax: number): Check {
  const detail = `${refused} of ${sent} requests refused before sending`
  return check(
    'few enough requests are refused',
    refused <= refusedMax,
    refused <= refusedMax ? detail : `${detail}, more than REFUSED_MAX=${refusedMax}`,
  )
}

function thresholdChecks(summary: Summary): Check[] {
  return (
    summary.thresholds
      // Those two are checks with a sentence of their own.
      .filter(({ metric }) => metric !== 'requests_lost' && metric !== 'requests_refused')
      .map(({ metric, expression, passed }) =>
        check(
          `threshold ${metric} ${expression}`,
          passed,
          `threshold ${passed ? 'kept' : 'crossed'}: ${metric} ${expression}`,
        ),
      )
  )
}

function sumCheck(agreement: Report['agreement'], required: boolean): Check {
  const name = 'sum over the instances = answered'
  if (agreement.agree) return { name, result: 'passed', detail: agreement.text }
  // A sum that is off can have an honest cause (other clients, a scrape too late), so it fails a run
  // only where the set-up is known to leave none.
  return { name, result: required ? 'failed' : 'skipped', detail: agreement.text }
}

function check(name: string, passed: boolean, detail: string): Check {
  return { name, result: passed ? 'passed' : 'failed', detail }
}

/**
 * Answers without an error on both sides: a 502 that the balancer made itself is no instance's, and one
 * of an instance is not "answered".
 */
function compare(summary: Summary, tally: Tally, service: ServiceCounts): Report['agreement'] {
  if (service.source === null) {
    const text = `Only the client's side is counted: ${service.why}`
    return { source: null, agree: null, text, notes: [] }
  }
  const goodByClient = (name: string): number => {
    const view = tally.instances.get(name)
    return view ? view.answers - view.errors : 0
  }
  const goodByService = (name: string): number => {
    const view = service.pods.get(name)
    return view ? view.requests - view.errors : 0
  }
  const names = [...new Set([...service.pods.keys(), ...tally.instances.keys()])]
  const byClient = names.reduce((sum, name) => sum + goodByClient(name), 0)
  const byService = names.reduce((sum, name) => sum + goodByService(name), 0)
  const counts = `Sum over instances: ${byService} by ${service.source}, ${byClient} by X-Served-By; answered ${summary.answered}`
  const off = names.filter((name) => goodByService(name) !== goodByClient(name))
  const sumsAgree = byService === summary.answered && byClient === summary.answered
  if (sumsAgree && off.length === 0) {
    return { source: service.source, agree: true, text: `${counts}: they agree`, notes: service.notes }
  }
  const difference = byService - summary.answered
  const notes = [...service.notes]
  if (difference < 0) {
    notes.push('what an instance did between its last scrape and its end is in no scrape')
  }
  if (off.length > 0) notes.push(`the two sides differ at: ${off.join(', ')}`)
  return {
    source: service.source,
    agree: sumsAgree,
    text: sumsAgree
      ? `${counts}: the sums agree`
      : `${counts}: they DIFFER by ${difference > 0 ? '+' : ''}${difference}`,
    notes,
  }
}

function instanceRows(tally: Tally, service: ServiceCounts): InstanceRow[] {
  const pods = service.source === null ? new Map<string, ServiceView>() : service.pods
  return [...new Set([...tally.instances.keys(), ...pods.keys()])]
    .sort()
    .map((name) => ({ name, client: tally.instances.get(name) ?? null, service: pods.get(name) ?? null }))
}
