import { describe, expect, test } from 'bun:test'
import { createBufferedWriter } from '../../../src/telemetry/log/buffered-writer.ts'
import { createLog, type Log, type LogOptions } from '../../../src/telemetry/log/log.ts'

const noon = Date.UTC(2026, 0, 2, 12, 0, 0, 7)

/** A log, and a function that returns its output so far. */
function createTestLog(changes: Partial<LogOptions> = {}): { log: Log; written: () => Promise<string> } {
  const chunks: string[] = []
  const log = createLog({
    level: 'debug',
    format: 'json',
    service: 'tally',
    instance: 'instance-1',
    process: { role: 'server', pid: 7 },
    writer: createBufferedWriter({ write: (chunk) => chunks.push(chunk), flush: () => undefined }),
    now: () => noon,
    ...changes,
  })
  return {
    log,
    written: async () => {
      await log.flush()
      return chunks.join('')
    },
  }
}

/** Parses the lines of a JSON log. */
async function parseLines(written: () => Promise<string>): Promise<Record<string, unknown>[]> {
  const lines = (await written()).split('\n')
  expect(lines.pop()).toBe('')
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>)
}

const hostile = [
  'a\nb',
  'a\r\nb',
  '"},{"level":"error"',
  '\\',
  '\u0000\u001b[31m\u0007',
  '\u2028\u2029',
  '\ud800',
  '{"time":"x"}\n{"level":"info"}',
  'sub\u007f\u0085\u009b31m',
  'admin\u202e\u2066nimda\u2069\u200f\u061c',
  'a\u00ad\u200b\ufeff\u{e0041}b',
]

/** Sequences that a terminal or viewer interprets. The line break ends a line; colors are ours. */
const obeyed = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u

describe('JSON', () => {
  test('a line has time, level, message, service, instance, and its own fields', async () => {
    const { log, written } = createTestLog()
    log.warn('something', { count: 3, nested: { a: [1] }, missing: undefined, nothing: null })
    expect(await parseLines(written)).toEqual([
      {
        time: '2026-01-02T12:00:00.007Z',
        level: 'warn',
        msg: 'something',
        service: 'tally',
        instance: 'instance-1',
        role: 'server',
        pid: 7,
        count: 3,
        nested: { a: [1] },
        nothing: null,
      },
    ])
  })

  test('an access line has the values of the request', async () => {
    const { log, written } = createTestLog()
    log.access('info', { startedAt: 0, requestId: 'id-1', method: 'POST', route: '/payload' }, 200, 1.23456)
    expect(await parseLines(written)).toEqual([
      {
        time: '2026-01-02T12:00:00.007Z',
        level: 'info',
        msg: 'request',
        service: 'tally',
        instance: 'instance-1',
        role: 'server',
        pid: 7,
        request_id: 'id-1',
        method: 'POST',
        route: '/payload',
        status: 200,
        duration_ms: 1.235,
      },
    ])
  })

  test('access lines have the time at which their request was answered, to the millisecond', async () => {
    let time = noon
    const { log, written } = createTestLog({ now: () => time })
    const answer = (startedAt: number, durationMs: number): void =>
      log.access('info', { startedAt, requestId: 'a', method: 'GET', route: '/' }, 200, durationMs)
    answer(100, 1)
    time += 5
    // Within one millisecond of the line before: the clock is not read again.
    answer(101, 0.9)
    answer(101, 1)
    // The monotonic clock restarted: the cached time is too old.
    time += 5
    answer(3, 0.1)
    log.info('something else')
    expect((await parseLines(written)).map((line) => line.time)).toEqual([
      '2026-01-02T12:00:00.007Z',
      '2026-01-02T12:00:00.007Z',
      '2026-01-02T12:00:00.012Z',
      '2026-01-02T12:00:00.017Z',
      '2026-01-02T12:00:00.017Z',
    ])
  })

  test('no message, field value, field name or service name can forge a line', async () => {
    for (const text of hostile) {
      const { log, written } = createTestLog({ service: text, instance: text })
      log.info(text, { value: text, [text]: text, nested: { [text]: [text] }, error: new Error(text) })
      const [line, ...more] = await parseLines(written)
      expect(more).toEqual([])
      expect(line).toMatchObject({ level: 'info', msg: text, service: text, instance: text, value: text })
      expect(await written()).not.toMatch(obeyed)
    }
  })

  test('an error is written with its name, message, stack and causes', async () => {
    const { log, written } = createTestLog()
    const error = new RangeError('outer', {
      cause: new TypeError('middle', { cause: 'a text at the bottom' }),
    })
    log.error('failed', { error })
    expect(await parseLines(written)).toMatchObject([
      {
        level: 'error',
        error: {
          name: 'RangeError',
          message: 'outer',
          stack: expect.stringContaining('log.test.ts'),
          cause: { name: 'TypeError', message: 'middle', cause: 'a text at the bottom' },
        },
      },
    ])
  })

  test('an error nested in a field is written too', async () => {
    const { log, written } = createTestLog()
    log.info('joined', { outcome: { errors: [new Error('first'), new Error('second')] } })
    expect(await parseLines(written)).toMatchObject([
      { outcome: { errors: [{ message: 'first' }, { message: 'second' }] } },
    ])
  })

  test('an error that is its own cause is written', async () => {
    const { log, written } = createTestLog()
    const one = new Error('one')
    one.cause = new Error('two', { cause: one })
    log.error('failed', { error: one })
    expect(await parseLines(written)).toMatchObject([
      { error: { message: 'one', cause: { message: 'two' } } },
    ])
  })

  test('a field that cannot be serialized is marked, and the others are written', async () => {
    const cycle: Record<string, unknown> = {}
    cycle.self = cycle
    const throwing = {
      toJSON() {
        throw new Error('will not')
      },
    }
    const { log, written } = createTestLog()
    log.info('odd', { before: 1, cycle, throwing, big: 7n, call: () => 1, after: 2 })
    expect(await parseLines(written)).toMatchObject([
      {
        msg: 'odd',
        before: 1,
        cycle: expect.stringContaining('cannot be written'),
        throwing: 'cannot be written: will not',
        big: '7',
        after: 2,
      },
    ])
  })
})

describe('the process', () => {
  test('is on every line, with its number where there are several', async () => {
    for (const process of [
      { role: 'supervisor', pid: 7 },
      { role: 'server', pid: 8, process: 2 },
    ] as const) {
      const { log, written } = createTestLog({ process })
      log.info('listening')
      log.access('info', { startedAt: 0, requestId: 'a', method: 'GET', route: '/' }, 200, 1)
      for (const line of await parseLines(written)) expect(line).toMatchObject(process)
    }
  })

  test('ends a pretty line only where several share a terminal', async () => {
    for (const [process, end] of [
      [{ role: 'server', pid: 8, process: 2 }, 'listening pid=8\n'],
      [{ role: 'server', pid: 8 }, 'listening\n'],
    ] as const) {
      const { log, written } = createTestLog({ process, format: 'pretty' })
      log.info('listening')
      expect(await written()).toEndWith(end)
    }
  })
})

test('an error loses the credentials in its URLs, in message, stack and cause', async () => {
  for (const format of ['json', 'pretty'] as const) {
    const { log, written } = createTestLog({ format })
    const cause = new Error('redis://:hunter2@cache')
    log.error('failed', { error: new Error('postgres://user:hunter2@db/tally', { cause }) })
    log.error('failed', { error: new Error('x', { cause: 'amqp://user:hunter2@queue' }) })
    const text = await written()
    expect(text).not.toContain('hunter2')
    for (const host of ['@db/tally', '@cache', '@queue']) expect(text).toContain(`://***${host}`)
  }
})

test('an error has its code, and all errors of an attempt on several addresses', async () => {
  const { log, written } = createTestLog()
  const refused = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })
  log.error('failed', { error: new AggregateError([refused, 'text'], '') })
  expect(await parseLines(written)).toMatchObject([
    { error: { name: 'AggregateError', errors: [{ message: 'refused', code: 'ECONNREFUSED' }, 'text'] } },
  ])
})

describe('levels', () => {
  const order = ['debug', 'info', 'warn', 'error'] as const
  for (const [index, level] of order.entries()) {
    test(`at ${level}, lines of lower levels are not written`, async () => {
      const { log, written } = createTestLog({ level })
      for (const one of order) {
        log[one](one)
        log.access(one, { startedAt: 0, requestId: 'a', method: 'GET', route: '/' }, 200, 1)
      }
      const levels = (await parseLines(written)).map((line) => line.level)
      expect(levels).toEqual(order.slice(index).flatMap((one) => [one, one]))
    })
  }

  test('can be changed at run time', async () => {
    const { log, written } = createTestLog({ level: 'error' })
    log.info('hidden')
    log.level = 'info'
    log.info('shown')
    expect((await parseLines(written)).map(({ msg }) => msg)).toEqual(['shown'])
  })
})

test('every line has its own time, also when lines share a millisecond or the clock is set back', async () => {
  let now = noon
  const { log, written } = createTestLog({ now: () => now })
  for (const step of [0, 0, 1, 0, 999, -500, 86_400_000]) {
    now += step
    log.info(new Date(now).toISOString())
  }
  for (const { time, msg } of await parseLines(written)) expect(time).toBe(String(msg))
})

describe('pretty', () => {
  test('is one readable line', async () => {
    const { log, written } = createTestLog({ format: 'pretty' })
    log.info('listening', { url: 'http://0.0.0.0:8000/', note: 'two words', count: 3 })
    log.access('info', { startedAt: 0, requestId: 'id-1', method: 'GET', route: '/health' }, 200, 0.1)
    expect(await written()).toBe(
      '12:00:00.007 \x1b[36minfo \x1b[0m listening url=http://0.0.0.0:8000/ note="two words" count=3\n' +
        '12:00:00.007 200 GET  /health 0.100 ms  id-1\n',
    )
  })

  test('shows an error with its stack and causes', async () => {
    const { log, written } = createTestLog({ format: 'pretty' })
    log.error('failed', { error: new Error('outer', { cause: new Error('inner', { cause: 'bottom' }) }) })
    const text = await written()
    expect(text).toContain('outer')
    expect(text).toContain('log.test.ts')
    expect(text).toMatch(/caused by:\n {4}Error: inner/)
    expect(text).toContain('caused by: "bottom"')
  })

  test('no value can start a new line or move the cursor', async () => {
    for (const text of hostile) {
      const { log, written } = createTestLog({ format: 'pretty' })
      log.info(`message ${text}`, {
        value: text,
        [text]: 1,
        nested: { [text]: text },
        error: new Error(text, { cause: text }),
      })
      const [first = '', ...more] = (await written()).trimEnd().split('\n')
      expect(first).toStartWith('12:00:00.007')
      for (const line of more) expect(line).toStartWith('  ')
      expect([first.replaceAll(/\x1b\[(36|0)m/g, ''), ...more].join('')).not.toMatch(obeyed)
    }
  })

  test('shows the name of a client without control characters, as JSON does', async () => {
    for (const format of ['pretty', 'json'] as const)
      for (const text of hostile) {
        const { log, written } = createTestLog({ format })
        const record = { startedAt: 0, requestId: 'a', method: 'GET', route: '/', client: `sub:${text}` }
        for (let i = 0; i < 2; i++) log.access('info', record, 200, 1)
        const lines = (await written()).trimEnd().split('\n')
        expect(lines).toHaveLength(2)
        for (const line of lines) {
          expect(line).not.toMatch(obeyed)
          const quoted =
            format === 'json' ? JSON.stringify(JSON.parse(line).client) : / a (".*")$/.exec(line)?.[1]
          expect(JSON.parse(quoted ?? '')).toBe(`sub:${text}`)
        }
      }
  })

  test('a value that cannot be serialized does not throw', async () => {
    const cycle: Record<string, unknown> = {}
    cycle.self = cycle
    const error = new Error('own cause')
    error.cause = error
    const { log, written } = createTestLog({ format: 'pretty' })
    log.info('odd', { cycle, error, withCycle: new Error('x', { cause: cycle }), after: 1 })
    expect(await written()).toContain('after=1')
  })
})
