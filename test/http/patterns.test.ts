import { describe, expect, test } from 'bun:test'
import { createApp } from '../../src/http/app.ts'
import { appDeps } from '../support/app-deps.ts'

// Regular expressions on client input must take linear time. One with nested repetition would take years for these
// inputs. The limit is generous, because machines may be slow and busy.

/** Just below the length that Bun accepts for a request's head. */
const maxLength = 15_000
const maxMs = 10_000

const repeated = (part: string, end = ''): string =>
  part.repeat(Math.floor((maxLength - end.length) / part.length)) + end

const app = createApp(appDeps())

async function measureMs(path: string, headers: Record<string, string>, method = 'POST'): Promise<number> {
  const start = performance.now()
  const response = await app.request(path, {
    method,
    body: '{}',
    headers: { host: 'localhost', 'content-type': 'application/json', ...headers },
  })
  await response.arrayBuffer()
  // The store of these dependencies is unavailable, which is a 503.
  expect(response.status).not.toBe(500)
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
    ['if-match', repeated(',', 'x')],
    ['if-match', repeated(' ', '*')],
    ['if-none-match', repeated('"', 'a')],
    ['authorization', `Bearer ${repeated('a.', '!')}`],
    ['accept', repeated('a/b;q=0.', ',')],
    ['accept-encoding', repeated('gzip;q=', ',')],
    ['traceparent', repeated('00-', 'x')],
    ['x-forwarded-for', repeated('1.1.1.1, ', 'x')],
    ['forwarded', repeated('for="[', 'x')],
  ])('%s is processed in time, however long and invalid it is', async (name, value) => {
    for (const path of ['/payload', '/data', '/tasks', '/nothing'])
      expect(await measureMs(path, { [name]: value })).toBeLessThan(maxMs)
    expect(await measureMs('/data/a', { [name]: value }, 'PUT')).toBeLessThan(maxMs)
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
  ])('%# is processed in time, however long and invalid it is', async (path) => {
    expect(await measureMs(path, {})).toBeLessThan(maxMs)
  })
})
