import type { LoadEvent } from '../events.ts'
import type { ServiceCounts, ServiceView } from '../service-side.ts'
import type { Settings } from '../settings.ts'
import type { Summary } from '../summary.ts'
import { identityText } from './lines.ts'
import type { ClientView, Tally } from './tally.ts'

/**
 * A requirement on the run with its result. `detail` is a complete sentence, because the report shows failures by it
 * alone; for `skipped` it is the reason.
 */
export type Check = { name: string; result: 'passed' | 'failed' | 'skipped'; detail: string }

export type InstanceRow = { name: string; client: ClientView | null; service: ServiceView | null }

/** The content of a report and of report.json. */
export type Report = {
  profile: string
  target: string
  /** Version and revision from the service's `/version` at the start and, if different, at the end. */
  versions: string[]
  concurrency: number
  connection: string
  size: string
  startedAt: string
  seconds: number
  requestsPerSecond: number
  summary: Summary
  /** Sent but in no class, because a signal or a crash of k6 stopped their users. */
  unaccounted: number
  identity: string
  times: Tally['times']
  timesBySize: Tally['timesBySize']
  reasons: Tally['reasons']
  notAnswered: Tally['notAnswered']
  instances: InstanceRow[]
  /** Comparison of the service's count with the client's; `source` is null without a service count. */
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
 * Builds the report of a run with its exit code: 0 if every check passed, 1 if the service was unreachable (no request
 * answered and none lost), 2 otherwise.
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
 * A one-word summary by the 95th percentile: below 100 ms, 500 ms, 1 s. A run with a loss or another failure always
 * needs improvement.
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
    check('no request lost', summary.lost === 0, `${summary.lost} of ${summary.sent} requests lost`),
    check(
      'sent = answered + refused + lost',
      unaccounted === 0,
      unaccounted === 0 ? identityText(summary) : `counts do not add up: ${identityText(summary)}`,
    ),
    check(
      'records complete',
      recorded,
      `requests.csv has ${counts.answered} answered, ${counts.refused} refused, ${counts.lost} lost; k6 counted ${summary.answered}, ${summary.refused}, ${summary.lost}`,
    ),
    check(
      'service responds',
      summary.answered > 0,
      `${summary.answered} of ${summary.sent} requests answered`,
    ),
  ]
}

/** A stopped service loses nothing, because it refuses everything. */
function refusedCheck({ refused, sent }: Summary, refusedMax: number): Check {
  const detail = `${refused} of ${sent} requests refused before sending`
  return check(
    'refused requests within limit',
    refused <= refusedMax,
    refused <= refusedMax ? detail : `${detail}, more than REFUSED_MAX=${refusedMax}`,
  )
}

function thresholdChecks(summary: Summary): Check[] {
  return (
    summary.thresholds
      // These two have their own checks.
      .filter(({ metric }) => metric !== 'requests_lost' && metric !== 'requests_refused')
      .map(({ metric, expression, passed }) =>
        check(
          `threshold ${metric} ${expression}`,
          passed,
          `threshold ${passed ? 'passed' : 'crossed'}: ${metric} ${expression}`,
        ),
      )
  )
}

function sumCheck(agreement: Report['agreement'], required: boolean): Check {
  const name = 'sum over instances = answered'
  if (agreement.agree) return { name, result: 'passed', detail: agreement.text }
  // A different sum can have a harmless cause (other clients, a late scrape). It fails the run only if the setup rules
  // such causes out.
  return { name, result: required ? 'failed' : 'skipped', detail: agreement.text }
}

function check(name: string, passed: boolean, detail: string): Check {
  return { name, result: passed ? 'passed' : 'failed', detail }
}

/**
 * Compares error-free responses on both sides. This excludes a 502 from the balancer, which no instance counts, and an
 * error of an instance, which is not "answered".
 */
function compare(summary: Summary, tally: Tally, service: ServiceCounts): Report['agreement'] {
  if (service.source === null) {
    const text = `Client-side counts only: ${service.why}`
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
    notes.push('scrapes miss the requests between the last scrape of an instance and its end')
  }
  if (off.length > 0) notes.push(`client and service differ for: ${off.join(', ')}`)
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
