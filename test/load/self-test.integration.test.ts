/**
 * The classification against real k6 and a server that misbehaves in every way that a rolling update
 * can: each row is one request, in this order, and the class that it must get.
 */

import { beforeAll, describe, expect, test } from 'bun:test'
import type { RequestClass } from '../../load/classify.ts'
import { type Behaviour, startMisbehavingServer } from './misbehaving-server.ts'
import { haveK6, type LoadRun, runLoad } from './run-load.ts'

type Row = [behaviour: Behaviour | 'not listening', mustBe: RequestClass, reason: RegExp]

const rows: Row[] = [
  ['answer', 'answered', /^$/],
  ['answer and close', 'answered', /^$/],
  // Reset where k6 reads, or where it still writes: either way the connection stood, and who knows what was read.
  ['reset before reading', 'lost', /^(connection reset|broken pipe|k6 error 1000: EOF)$/],
  ['reset after reading', 'lost', /^connection reset$/],
  ['close after reading', 'lost', /EOF$/],
  ['half an answer, then close', 'lost', /unexpected EOF$/],
  ['half an answer, then reset', 'lost', /^(connection reset|k6 error 1000: unexpected EOF)$/],
  ['half a chunked answer, then close', 'lost', /unexpected EOF$/],
  ['hang', 'lost', /^no answer in time$/],
  ['503', 'lost', /^status 503$/],
  ['redirect', 'lost', /^status 307$/],
  ['wrong JSON', 'lost', /^no numeric_analysis$/],
  ['wrong number', 'lost', /^wrong numeric_analysis.mean$/],
  ['not JSON', 'lost', /^not JSON$/],
  ['empty', 'lost', /^empty answer$/],
  ['answer, close when the next request comes', 'answered', /^$/],
  ['answer', 'lost', /EOF$/], // cut in the race window by the row above
  ['answer, close while idle', 'answered', /^$/],
  ['answer', 'answered', /^$/], // had to connect again: the race was won
  ['answer, stop listening', 'answered', /^$/],
  ['not listening', 'refused', /^connection refused$/],
  ['not listening', 'refused', /^connection refused$/],
]
const wonRace = 18

describe.skipIf(!haveK6())('the class of each misbehaviour', () => {
  let run: LoadRun
  let turns = 0

  beforeAll(async () => {
    const behaviours = rows.flatMap(([behaviour]) => (behaviour === 'not listening' ? [] : [behaviour]))
    const server = startMisbehavingServer(behaviours)
    run = await runLoad('load', {
      SERVICE_URL: server.url,
      N_REQUESTS: String(rows.length),
      CONCURRENCY: '1',
      READ_TIMEOUT: '2s',
      // Long enough for a FIN to be read on a machine that is busy with other tests.
      THINK_TIME: '100ms',
    })
    turns = server.turns()
    server.stop()
  }, 60_000)

  test.each(rows.map((row, index) => [index, ...row] as const))(
    '%i: %s is %s',
    (index, _, mustBe, reason) => {
      expect(run.records[index]?.class).toBe(mustBe)
      expect(run.records[index]?.reason).toMatch(reason)
    },
  )

  test('no request is sent twice: the server saw one for each row', () => {
    expect(turns).toBe(rows.filter(([behaviour]) => behaviour !== 'not listening').length)
  })

  test('only the connection that the server closed unannounced counts as closed while idle', () => {
    const closedIdle = run.records.flatMap((record, index) => (record.closedIdle ? [index] : []))
    expect(closedIdle).toEqual([wonRace])
    expect(run.report?.summary).toMatchObject({ closedIdle: 1, closedIdleExact: true })
  })

  test('the totals are the rows, the identity holds, and the run exits with 2', () => {
    const count = (kind: RequestClass) => rows.filter(([, mustBe]) => mustBe === kind).length
    expect(run.report?.summary).toMatchObject({
      sent: rows.length,
      answered: count('answered'),
      refused: count('refused'),
      lost: count('lost'),
    })
    expect(run.report?.unaccounted).toBe(0)
    expect(run.stdout).toContain(`Fatal errors: ${count('lost')}\n`)
    expect(run.exitCode).toBe(2)
  })

  test('every loss is named in the report', () => {
    for (const record of run.records.filter((each) => each.class === 'lost')) {
      expect(run.html).toContain(record.requestId)
    }
  })
})
