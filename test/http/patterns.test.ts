import { describe, expect, test } from 'bun:test'
import { createApp } from '../../src/http/app.ts'
import { appOptions } from '../support/app-options.ts'

// Patterns that look at what clients send must not take longer than in proportion to its length. One with nested
// repetition would take years for these; what is allowed here is generous, for machines are slow and busy.

/** Just below what the runtime takes as a head. */
const longest = 15_000
const msMax = 1_000

const repeated = (part: string, end = ''): string =>
  part.repeat(Math.floor((longest - end.length) / part.length)) + end

const app = createApp(appOptions())

async function msFor(path: string, headers: Record<string, string>): Promise<number> {
  const start = performance.now()
  const answer = await app.fetch(
    new Request(`http://localhost${path}`, {
      method: 'POST',
      body: '{}',
      headers: { host: 'localhost', 'content-type': 'application/json', ...headers },
    }),
  )
  await answer.arrayBuffer()
  // The store of these options is away, which is a 503.
  expect(answer.status).not.toBe(500)
  return performance.now() - start
}

describe('a header', () => {
  test.each([
    ['host', repeated('a.', '!')],
    ['host', repeated('1', ':1')],
    ['host', `[${repeated(':', '!')}`],
    ['x-request-id', repeated('a', '!')],
    ['content-type', `application/${repeated('a+', '!')}`],
    ['content-type', `application/json${repeated(' ', ';')}`],
    ['content-type', `application/json;${repeated(' ')}charset${repeated(' ', '!').slice(0, 7_000)}`],
    ['content-encoding', repeated('gzip, ')],
    ['content-length', repeated('9', 'x')],
    ['idempotency-key', repeated('a', ' ')],
    ['if-match', repeated('"a", ', '"')],
    ['if-match', repeated('W/"', 'x')],
    ['if-none-match', repeated('"', 'a')],
    ['authorization', `Bearer ${repeated('a.', '!')}`],
    ['accept', repeated('a/b;q=0.', ',')],
    ['accept-encoding', repeated('gzip;q=', ',')],
    ['traceparent', repeated('00-', 'x')],
    ['x-forwarded-for', repeated('1.1.1.1, ', 'x')],
    ['forwarded', repeated('for="[', 'x')],
  ])('%s is judged at once, however long and wrong it is', async (name, value) => {
    for (const path of ['/payload', '/data', '/tasks', '/nothing'])
      expect(await msFor(path, { [name]: value })).toBeLessThan(msMax)
  })
})

describe('a path or a query', () => {
  test.each([
    repeated('/a'),
    repeated('/..', '/payload'),
    repeated('/%2e', '/payload'),
    repeated('/', 'payload'),
    `/data/${repeated('a', '!')}`,
    `/payload?${repeated('format=', 'x')}`,
    `/data?cursor=${repeated('a', '!')}`,
    `/tasks?limit=${repeated('9', 'x')}`,
  ])('%# is judged at once, however long and wrong it is', async (path) => {
    expect(await msFor(path, {})).toBeLessThan(msMax)
  })
})
