import { describe, expect, test } from 'bun:test'
import { createApp } from '../../../src/http/app.ts'
import { appOptions } from '../../support/app-options.ts'
import { parseMetrics, type Scrape } from '../../support/metrics.ts'
import { examplePayload, post, request } from '../../support/requests.ts'

/** A service of its own, so that every count begins at 0. */
function service(): { ask: (asked: Request) => Promise<number>; scrape: () => Promise<Scrape> } {
  const app = createApp(appOptions({ debugRoutes: true }))
  return {
    ask: async (asked) => (await app.fetch(asked)).status,
    scrape: async () => parseMetrics(await (await app.fetch(request('/metrics'))).text()),
  }
}

const total = (method: string, route: string, status: number): string =>
  `api_http_requests_total{method="${method}",route="${route}",status="${status}"}`

describe('every answer is counted once, under its method, route and status', () => {
  for (const [name, asked, series] of [
    ['an answer', () => post('/payload', examplePayload), total('POST', '/payload', 200)],
    ['an alias, under its route', () => post('/v1/payload', examplePayload), total('POST', '/payload', 200)],
    ['a probe by its other name', () => request('/livez'), total('GET', '/health', 200)],
    [
      'a route with a parameter',
      () => request('/debug/status/418'),
      total('GET', '/debug/status/:code', 418),
    ],
    ['404', () => request('/nowhere'), total('GET', 'unmatched', 404)],
    ['405, under the route', () => request('/v1/payload'), total('GET', '/payload', 405)],
    ['a refused body', () => post('/payload', '{}'), total('POST', '/payload', 400)],
    ['what is no JSON', () => post('/payload', '{'), total('POST', '/payload', 400)],
    ['415', () => post('/payload', '{}', { 'content-type': 'text/plain' }), total('POST', '/payload', 415)],
    ['413', () => post('/payload', '{}', { 'content-length': '99999999' }), total('POST', '/payload', 413)],
    ['a bad Host', () => request('/health', { headers: { host: 'a b' } }), total('GET', 'unmatched', 400)],
    ['TRACE', () => request('/health', { method: 'TRACE' }), total('TRACE', 'unmatched', 405)],
    ['a method of nobody', () => request('/health', { method: 'PROPFIND' }), total('other', '/health', 405)],
    ['an answer that is away', () => request('/data/7'), total('GET', '/data/:id', 503)],
  ] as const) {
    test(name, async () => {
      const { ask, scrape } = service()
      await ask(asked())
      const counted = [...(await scrape())].filter(([key]) => key.startsWith('api_http_requests_total'))
      expect(counted).toEqual([[series, 1]])
    })
  }
})

test('a thousand random paths and methods add no series but those of what is unmatched', async () => {
  const { ask, scrape } = service()
  const random = (): string => Math.random().toString(36).slice(2)
  await ask(request('/nowhere'))
  // Methods that this runtime reads at all; what is none of them never gets to a handler.
  const methods = ['PROPFIND', 'MKCOL', 'COPY', 'LOCK', 'SEARCH', 'QUERY', 'PURGE']
  await ask(request('/nowhere', { method: 'PROPFIND' }))
  const before = (await scrape()).size
  for (let i = 0; i < 1_000; i++) {
    await ask(request(`/${random()}/${random()}?${random()}=${random()}`))
    await ask(request(`/${random()}`, { method: methods[i % methods.length] ?? '' }))
  }
  const after = await scrape()
  expect(after.get(total('GET', 'unmatched', 404))).toBe(1_001)
  expect(after.get(total('other', 'unmatched', 404))).toBe(1_001)
  // The first scrape is counted by the second: that is the one series more, in the counter and the histogram.
  const scrapeSeries = [...after.keys()].filter((key) => key.includes('route="/metrics"')).length
  expect(after.size).toBe(before + scrapeSeries)
})

test('durations fall into the buckets of DESIGN.md, and buckets, sum and count agree', async () => {
  const { ask, scrape } = service()
  const asked = 20
  for (let i = 0; i < asked; i++) await ask(request('/version'))
  await ask(request('/debug/delay/0.12'))
  const series = await scrape()
  const buckets = (route: string): [edge: string, count: number][] =>
    [...series].flatMap(([key, count]) => {
      const edge = /_duration_seconds_bucket\{.*route="([^"]+)".*le="([^"]+)"/.exec(key)
      return edge?.[1] === route ? [[edge[2] ?? '', count]] : []
    })
  const edges = '0.0005 0.001 0.0025 0.005 0.01 0.025 0.05 0.1 0.25 0.5 1 2.5 5 10 +Inf'.split(' ')
  expect(buckets('/version').map(([edge]) => edge)).toEqual(edges)
  const counts = buckets('/version').map(([, count]) => count)
  expect(counts).toEqual(counts.toSorted((a, b) => a - b))
  const labels = '{method="GET",route="/version",status="200"}'
  expect(counts.at(-1)).toBe(asked)
  expect(series.get(`api_http_request_duration_seconds_count${labels}`)).toBe(asked)
  expect(series.get(`api_http_request_duration_seconds_sum${labels}`)).toBeGreaterThan(0)

  const slow = Object.fromEntries(buckets('/debug/delay/:seconds'))
  expect(slow).toMatchObject({ '0.1': 0, '10': 1, '+Inf': 1 })
  expect(
    series.get(
      'api_http_request_duration_seconds_sum{method="GET",route="/debug/delay/:seconds",status="200"}',
    ),
  ).toBeGreaterThan(0.11)
})

test('the sizes of accepted payloads are counted, those of refused ones are not', async () => {
  const { ask, scrape } = service()
  await ask(post('/payload', { numbers: [1], text: 'a'.repeat(11) }))
  await ask(post('/payload', { numbers: Array.from({ length: 10 }, () => 1), text: '😀' }))
  await ask(post('/payload', { numbers: [1, 2], text: '' }))
  const series = await scrape()
  expect(series.get('api_payload_numbers_bucket{le="1"}')).toBe(1)
  expect(series.get('api_payload_numbers_bucket{le="10"}')).toBe(2)
  expect(series.get('api_payload_numbers_bucket{le="+Inf"}')).toBe(2)
  expect(series.get('api_payload_numbers_sum')).toBe(11)
  expect(series.get('api_payload_numbers_count')).toBe(2)
  expect(series.get('api_payload_text_characters_bucket{le="1"}')).toBe(1)
  expect(series.get('api_payload_text_characters_bucket{le="10"}')).toBe(1)
  expect(series.get('api_payload_text_characters_sum')).toBe(12)
})

test('a scrape is text of version 0.0.4, which Prometheus does not have to guess', async () => {
  const response = await createApp(appOptions()).fetch(request('/metrics'))
  expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
})
