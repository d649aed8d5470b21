/**
 * Checks the classification with real k6 and a server that misbehaves in every way that a rolling update can. Each row
 * is one request, in this order, with its expected class.
 */

import { beforeAll, describe, expect, test } from 'bun:test'
import type { RequestClass } from '../../load/classify.ts'
import { type Behavior, startMisbehavingServer } from './misbehaving-server.ts'
import { haveK6, type LoadRun, runLoad } from './run-load.ts'

type Row = [behavior: Behavior | 'not listening', expectedClass: RequestClass, reason: RegExp]

const rows: Row[] = [
  ['respond', 'answered', /^$/],
  ['respond and close', 'answered', /^$/],
  // The reset arrives while k6 reads or still writes. The connection was open, so the server may have read the request.
  ['reset before reading', 'lost', /^(connection reset|broken pipe|k6 error 1000: EOF)$/],
  ['reset after reading', 'lost', /^connection reset$/],
  ['close after reading', 'lost', /EOF$/],
  ['half a response, then close', 'lost', /unexpected EOF$/],
  ['half a response, then reset', 'lost', /^(connection reset|k6 error 1000: unexpected EOF)$/],
  ['half a chunked response, then close', 'lost', /unexpected EOF$/],
  ['hang', 'lost', /^no response in time$/],
  ['503', 'lost', /^status 503$/],
  ['redirect', 'lost', /^status 307$/],
  ['wrong JSON', 'lost', /^no numeric_analysis$/],
  ['wrong number', 'lost', /^wrong numeric_analysis.mean$/],
  ['not JSON', 'lost', /^not JSON$/],
  ['empty', 'lost', /^empty body$/],
  ['respond, close when the next request arrives', 'answered', /^$/],
  ['respond', 'lost', /EOF$/], // the row above closes the connection: the client loses the race
  ['respond, close while idle', 'answered', /^$/],
  ['respond', 'answered', /^$/], // opens a new connection: the client wins the race
  ['respond, stop listening', 'answered', /^$/],
  ['not listening', 'refused', /^connection refused$/],
  ['not listening', 'refused', /^connection refused$/],
]
const wonRace = 18

describe.skipIf(!haveK6())('the class of each misbehavior', () => {
  let run: LoadRun
  let turns = 0

  beforeAll(async () => {
    const behaviors = rows.flatMap(([behavior]) => (behavior === 'not listening' ? [] : [behavior]))
    const server = startMisbehavingServer(behaviors)
    run = await runLoad('load', {
      SERVICE_URL: server.url,
      N_REQUESTS: String(rows.length),
      CONCURRENCY: '1',
      READ_TIMEOUT: '2s',
      // Long enough for the client to read a FIN, even on a machine busy with other tests.
      THINK_TIME: '100ms',
    })
    turns = server.turns()
    server.stop()
  }, 60_000)

  test.each(rows.map((row, index) => [index, ...row] as const))(
    '%i: %s is %s',
    (index, _, expectedClass, reason) => {
      expect(run.records[index]?.class).toBe(expectedClass)
      expect(run.records[index]?.reason).toMatch(reason)
    },
  )

  test('k6 sends no request twice: the server sees one per row', () => {
    expect(turns).toBe(rows.filter(([behavior]) => behavior !== 'not listening').length)
  })

  test('only an unannounced close counts as closed while idle', () => {
    const closedIdle = run.records.flatMap((record, index) => (record.closedIdle ? [index] : []))
    expect(closedIdle).toEqual([wonRace])
    expect(run.report?.summary).toMatchObject({ closedIdle: 1, closedIdleExact: true })
  })

  test('the totals match the rows, all requests are accounted for, and the run exits with 2', () => {
    const count = (kind: RequestClass) => rows.filter(([, expectedClass]) => expectedClass === kind).length
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

  test('the report names every lost request', () => {
    for (const record of run.records.filter((each) => each.class === 'lost')) {
      expect(run.html).toContain(record.requestId)
    }
  })
})
