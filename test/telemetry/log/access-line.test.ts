import { describe, expect, test } from 'bun:test'
import { type AccessRecord, createAccessLine, formatMs } from '../../../src/telemetry/log/access-line.ts'

const record: AccessRecord = {
  startedAt: 0,
  requestId: 'id-1',
  method: 'GET',
  route: '/health',
}

describe('an access line', () => {
  test('has its own time, level, method, route and status, and nothing of the previous line', () => {
    let time = 'T1'
    const line = createAccessLine('"service":"tally"', () => time)
    const written: unknown[] = []
    const write = (
      level: 'info' | 'debug',
      { status = 200, ...change }: Partial<AccessRecord> & { status?: number },
    ): void => {
      const {
        msg: _,
        service: __,
        duration_ms: ___,
        ...rest
      } = JSON.parse(line(level, { ...record, ...change }, status, 0.1))
      written.push(Object.values(rest))
    }
    write('info', {})
    write('debug', {})
    write('debug', { status: 503 })
    write('debug', { status: 503, method: 'POST' })
    write('debug', { status: 503, method: 'POST', route: '/payload' })
    time = 'T2'
    write('debug', { status: 503, method: 'POST', route: '/payload', requestId: 'id-2' })
    expect(written).toEqual([
      ['T1', 'info', 'id-1', 'GET', '/health', 200],
      ['T1', 'debug', 'id-1', 'GET', '/health', 200],
      ['T1', 'debug', 'id-1', 'GET', '/health', 503],
      ['T1', 'debug', 'id-1', 'POST', '/health', 503],
      ['T1', 'debug', 'id-1', 'POST', '/payload', 503],
      ['T2', 'debug', 'id-2', 'POST', '/payload', 503],
    ])
  })

  test('includes client, injected fault and trace if present, with the client escaped', () => {
    const line = createAccessLine('"service":"tally"', () => 'T')
    const ids = { trace_id: '0af7', span_id: 'b7ad' }
    const all = { ...record, client: 'key:"a"\n', fault: 'delay,error', trace: { ids } }
    const fields = JSON.parse(line('info', all, 200, 0.1))
    expect(fields).toMatchObject({ client: 'key:"a"\n', fault: 'delay,error', ...ids })
  })

  test('has each optional member under its name, with any text escaped', () => {
    const line = createAccessLine('"service":"tally"', () => 'T')
    const optional: [change: Partial<AccessRecord>, member: object][] = [
      [{}, {}],
      [{ problem: 'not-found' }, { code: 'not-found' }],
      [
        { problem: 'internal-error', cause: '"\n' },
        { code: 'internal-error', cause: '"\n' },
      ],
      [{ taskId: '"' }, { task_id: '"' }],
      [
        { requestBytes: 0, responseBytes: 12 },
        { request_bytes: 0, response_bytes: 12 },
      ],
      [
        { details: { clientAddress: '::1', path: '/"\u2028', userAgent: '\\\u202e\u009b' } },
        { client_address: '::1', path: '/"\u2028', user_agent: '\\\u202e\u009b' },
      ],
      [{ details: {} }, {}],
    ]
    for (const [change, member] of optional) {
      // A line contains no control characters of a terminal, from any source.
      expect(line('info', { ...record, ...change }, 200, 0.1)).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}](?!$)/u)
      const { time, level, msg, service, request_id, method, route, status, duration_ms, ...others } =
        JSON.parse(line('info', { ...record, ...change }, 200, 0.1))
      expect(others).toEqual(member)
    }
  })
})

test('formatMs rounds to three decimals', () => {
  for (const [durationMs, text] of [
    [0, '0.000'],
    [0.0004, '0.000'],
    [0.0016, '0.002'],
    [0.0123, '0.012'],
    [0.9996, '1.000'],
    [12.3456, '12.346'],
    [30_000, '30000.000'],
  ] as const)
    expect(formatMs(durationMs)).toBe(text)
})
