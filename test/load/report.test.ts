import { describe, expect, test } from 'bun:test'
import { parseEvents } from '../../load/events.ts'
import { parseRecord, type RequestRecord, recordHeader, recordLine } from '../../load/record.ts'
import { renderHtml } from '../../load/report/html.ts'
import { renderJUnit } from '../../load/report/junit.ts'
import { buildReport, gradeOf } from '../../load/report/report.ts'
import { quantileSorted, timeStatistics } from '../../load/report/statistics.ts'
import { tallyRecords } from '../../load/report/tally.ts'
import { renderText } from '../../load/report/text.ts'
import type { ServiceCounts } from '../../load/service-side.ts'
import { parseSettings } from '../../load/settings.ts'
import { summarize } from '../../load/summary.ts'

const startMs = Date.parse('2026-11-21T07:30:00Z')

function record(afterMs: number, change: Partial<RequestRecord> = {}): RequestRecord {
  return {
    endedMs: startMs + afterMs,
    durationMs: 10,
    class: 'answered',
    size: 'small',
    status: 200,
    errorCode: 0,
    instance: 'api-1',
    closedIdle: false,
    requestId: `r-${afterMs}`,
    reason: '',
    ...change,
  }
}

async function* each(records: RequestRecord[]) {
  yield* records
}

const lost = {
  class: 'lost',
  status: 0,
  errorCode: 1220,
  instance: '',
  reason: 'connection <reset>',
} as const
const records = [
  record(100),
  record(200, { instance: 'api-2', durationMs: 30 }),
  record(2_500, lost),
  record(2_600, { class: 'refused', status: 0, errorCode: 1212, instance: '', reason: 'connection refused' }),
  record(4_100, { instance: 'api-2', durationMs: 1_500 }),
]
const events = [{ atMs: startMs + 2_000, label: 'kill "api-1" & <more>' }]

async function report(
  change: { sent?: number; service?: ServiceCounts; requireSum?: boolean; refusedMax?: number } = {},
) {
  const { requireSum = false, refusedMax = 0 } = change
  const settings = parseSettings({ REQUIRE_SUM: requireSum ? '1' : '', REFUSED_MAX: String(refusedMax) }, {})
  const values = (count: number) => ({ values: { count } })
  return buildReport({
    profile: 'rollout',
    settings,
    concurrency: 3,
    summary: summarize({
      metrics: {
        requests_sent: values(change.sent ?? 5),
        requests_answered: values(3),
        requests_refused: { ...values(1), thresholds: { 'count<=0': { ok: false } } },
        requests_lost: { ...values(1), thresholds: { 'count==0': { ok: false } } },
        answers_slow: values(1),
        connections_closed_idle: values(2),
      },
    }),
    tally: await tallyRecords(each(records), events),
    service: change.service ?? { source: null, why: 'no Prometheus' },
    versions: ['0.1.0 (abc)'],
    events,
  })
}

describe('records', () => {
  test('parseRecord reverses recordLine', () => {
    for (const each of records) expect(parseRecord(recordLine(each))).toEqual(each)
    expect(recordLine(record(0)).split(',')).toHaveLength(recordHeader.split(',').length)
  })

  test('recordLine replaces separators in values', () => {
    const line = recordLine(record(0, { ...lost, instance: 'a, b', reason: 'x,"y"\nz' }))
    expect(parseRecord(line)).toMatchObject({ instance: 'a b', reason: 'x y z', requestId: 'r-0' })
  })

  test('parseRecord returns null for the heading and for an incomplete line', () => {
    expect(parseRecord(recordHeader)).toBeNull()
    expect(parseRecord('1795246200000,3.2,answered,small')).toBeNull()
  })
})

describe('parseEvents', () => {
  test('parses RFC 3339 times and milliseconds, and sorts by time', () => {
    const text = '\n1795246205000 second one\n2026-11-21T07:30:00Z first\n'
    expect(parseEvents(text)).toEqual([
      { atMs: 1_795_246_200_000, label: 'first' },
      { atMs: 1_795_246_205_000, label: 'second one' },
    ])
  })

  test('names the line without a time', () => {
    expect(() => parseEvents('roll api-1')).toThrow('event without a time: roll api-1')
  })
})

describe('tallyRecords', () => {
  test('counts each request in the second and the phase of its end', async () => {
    const tally = await tallyRecords(each(records), events)
    expect(tally.counts).toEqual({ answered: 3, refused: 1, lost: 1 })
    expect(tally.phases).toMatchObject([
      { label: 'before', answered: 2, refused: 0, lost: 0, slow: 0 },
      { answered: 1, refused: 1, lost: 1, slow: 1, maxSeconds: 1.5 },
    ])
    expect(tally.timeline.map(({ answered, refused, lost, max }) => [answered, refused, lost, max])).toEqual([
      [2, 0, 0, 0.03],
      [0, 0, 0, null],
      [0, 1, 1, null],
      [0, 0, 0, null],
      [1, 0, 0, 1.5],
    ])
    expect(tally.instances.get('api-2')).toEqual({ answers: 2, errors: 0, avgSeconds: 0.765 })
    expect(tally.endedMs - tally.startedMs).toBe(4_010)
  })

  test('uses wider steps for a long run and counts every request', async () => {
    const long = Array.from({ length: 7_200 }, (_, second) => record(second * 1_000))
    const tally = await tallyRecords(each(long), [])
    expect(tally.bucketSeconds).toBe(12)
    expect(tally.timeline.length).toBeLessThanOrEqual(601)
    expect(tally.timeline.reduce((sum, { answered }) => sum + answered, 0)).toBe(7_200)
  })

  test('returns no times and no timeline for a run without requests', async () => {
    const tally = await tallyRecords(each([]), [])
    expect(tally).toMatchObject({ times: null, timeline: [], counts: { answered: 0, refused: 0, lost: 0 } })
  })
})

describe('statistics', () => {
  test('quantiles interpolate between neighbors', () => {
    expect(quantileSorted([1, 2, 3, 4], 0.5)).toBe(2.5)
    expect(quantileSorted([1, 2, 3, 4], 1)).toBe(4)
    expect(quantileSorted([], 0.5)).toBeNaN()
  })

  test('times are in seconds, with the sample standard deviation', () => {
    expect(timeStatistics([1_000, 2_000, 3_000, 4_000, 5_000])).toMatchObject({
      count: 5,
      min: 1,
      max: 5,
      avg: 3,
      median: 3,
      stdev: Math.sqrt(2.5),
    })
    expect(timeStatistics([])).toBeNull()
  })
})

describe('buildReport', () => {
  test('fails on a lost request, and shows its phase and reason', async () => {
    const built = await report()
    expect(built.exitCode).toBe(2)
    const text = renderText(built)
    expect(text).toContain('Identity: sent 5 = answered 3 + refused 1 + lost 1')
    expect(text).toContain('1 × lost: connection <reset>')
    expect(text).toContain(
      '07:30:02.000 kill "api-1" & <more>: answered 1, refused 1, lost 1, slow 1, max=1.5000s',
    )
    expect(text).toContain('Client-side counts only: no Prometheus')
    expect(text).toContain('Connections closed while idle: at most 2 ')
    expect(text).toContain('FAILED: 1 of 5 requests lost')
    expect(text).toContain('FAILED: 1 of 5 requests refused before sending, more than REFUSED_MAX=0')
    expect(text).toContain('Service: 0.1.0 (abc)')
    expect(built.grade).toBe('NEEDS IMPROVEMENT')
    expect(renderHtml(built)).toContain('Failed: 1 of 5 requests lost; 1 of 5 requests refused')
  })

  test('accepts refused requests up to REFUSED_MAX', async () => {
    const refused = ({ checks }: { checks: { name: string; result: string }[] }) =>
      checks.find(({ name }) => name.includes('refused') && !name.startsWith('sent'))?.result
    expect(refused(await report({ refusedMax: 0 }))).toBe('failed')
    expect(refused(await report({ refusedMax: 1 }))).toBe('passed')
  })

  test('fails on unaccounted requests and counts them as fatal errors', async () => {
    const built = await report({ sent: 7 })
    expect(built.unaccounted).toBe(2)
    const text = renderText(built)
    expect(text).toContain('Fatal errors: 3')
    expect(text).toContain('sent 7 ≠ answered 3 + refused 1 + lost 1: 2 unaccounted for')
    expect(built.checks.find(({ name }) => name.startsWith('sent ='))?.result).toBe('failed')
  })

  const view = (requests: number, errors = 0) => ({ requests, errors, avgSeconds: 0.001 })

  test('sums agree when every instance agrees, without error responses', async () => {
    const pods = new Map([
      ['api-1', view(1)],
      ['api-2', view(5, 3)],
    ])
    const { agreement } = await report({ service: { source: 'Prometheus', pods, notes: [] } })
    expect(agreement).toMatchObject({
      agree: true,
      text: expect.stringContaining('3 by Prometheus, 3 by X-Served-By'),
    })
  })

  test('lists instances that differ although the sums agree', async () => {
    const pods = new Map([['10.0.0.7:8000', view(3)]])
    const { agreement } = await report({ service: { source: 'Prometheus', pods, notes: [] } })
    expect(agreement).toMatchObject({
      agree: true,
      text: expect.stringContaining('the sums agree'),
      notes: ['client and service differ for: 10.0.0.7:8000, api-1, api-2'],
    })
  })

  test('fails on a wrong sum only with REQUIRE_SUM', async () => {
    const service = { source: 'Prometheus', pods: new Map([['api-1', view(1)]]), notes: [] }
    const result = async (requireSum: boolean) =>
      (await report({ service, requireSum })).checks.find(({ name }) => name.startsWith('sum over'))
    expect(await result(false)).toMatchObject({
      result: 'skipped',
      detail: expect.stringContaining('DIFFER by -2'),
    })
    expect(await result(true)).toMatchObject({ result: 'failed' })
  })

  test('grades by p95, and a loss always needs improvement', async () => {
    const { summary } = await report()
    const clean = { ...summary, lost: 0 }
    expect([0.05, 0.2, 0.7, 1.2].map((p95) => gradeOf(clean, p95))).toEqual([
      'EXCELLENT',
      'GOOD',
      'ACCEPTABLE',
      'NEEDS IMPROVEMENT',
    ])
    expect(gradeOf(summary, 0.01)).toBe('NEEDS IMPROVEMENT')
  })
})

describe('files', () => {
  test('the page is self-contained, without scripts or external URLs, and escapes text', async () => {
    const html = renderHtml(await report())
    expect(html).not.toMatch(/<script|(src|href)=|@import|url\(/)
    expect(html).toContain('kill &quot;api-1&quot; &amp; &lt;more&gt;')
    expect(html).toContain('connection &lt;reset&gt;')
    expect(html.match(/<svg/g)).toHaveLength(3)
  })

  test('charts contain no NaN, undefined or Infinity', async () => {
    const html = renderHtml(await report())
    expect(html).not.toMatch(/NaN|undefined|Infinity/)
  })

  test('JUnit has one case per check, and marks failures and skips', async () => {
    const built = await report()
    const xml = renderJUnit(built)
    expect(xml).toContain(`tests="${built.checks.length}" failures="2" skipped="1"`)
    expect(xml.match(/<testcase /g)).toHaveLength(built.checks.length)
    expect(xml).toContain('<failure message="1 of 5 requests lost"/>')
  })
})
