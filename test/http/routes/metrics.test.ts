import { describe, expect, test } from 'bun:test'
import { type AppDeps, createApp } from '../../../src/http/app.ts'
import { adminDeps } from '../../support/admin-deps.ts'
import { appDeps } from '../../support/app-deps.ts'
import { examplePayload } from '../../support/example-payload.ts'
import { parseMetrics, type Scrape } from '../../support/metrics.ts'
import { expectProblem } from '../../support/problems.ts'

const json = { 'content-type': 'application/json' }

/** A new service, so that every count begins at 0. */
function createService(changes: Partial<AppDeps> = {}) {
  const { request } = createApp(appDeps({ debugRoutes: true, ...changes }))
  return {
    request,
    post: (body: unknown) =>
      request('/payload', { method: 'POST', headers: json, body: JSON.stringify(body) }),
    scrape: async (): Promise<Scrape> => parseMetrics(await (await request('/metrics')).text()),
  }
}

const total = (method: string, route: string, status: number): string =>
  `api_http_requests_total{method="${method}",route="${route}",status="${status}"}`

describe('every response is counted once, with its method, route and status', () => {
  const example = { method: 'POST', headers: json, body: JSON.stringify(examplePayload) }
  const cases: [name: string, path: string, init: RequestInit, series: string][] = [
    ['200', '/payload', example, total('POST', '/payload', 200)],
    ['an alias, as its route', '/v1/payload', example, total('POST', '/payload', 200)],
    ['another name of a probe', '/livez', {}, total('GET', '/health', 200)],
    ['a route with a parameter', '/debug/status/418', {}, total('GET', '/debug/status/:code', 418)],
    ['404', '/nowhere', {}, total('GET', 'unmatched', 404)],
    ['405, as the route', '/v1/payload', {}, total('GET', '/payload', 405)],
    ['an invalid body', '/payload', { ...example, body: '{}' }, total('POST', '/payload', 400)],
    ['malformed JSON', '/payload', { ...example, body: '{' }, total('POST', '/payload', 400)],
    ['415', '/payload', { method: 'POST', body: '{}' }, total('POST', '/payload', 415)],
    [
      '413',
      '/payload',
      { ...example, headers: { ...json, 'content-length': '99999999' } },
      total('POST', '/payload', 413),
    ],
    ['an invalid Host', '/health', { headers: { host: 'a b' } }, total('GET', 'unmatched', 400)],
    ['TRACE', '/health', { method: 'TRACE' }, total('TRACE', 'unmatched', 405)],
    ['an unknown method', '/health', { method: 'PROPFIND' }, total('other', '/health', 405)],
    ['an unavailable store', '/data/7', {}, total('GET', '/data/:id', 503)],
  ]
  for (const [name, path, init, series] of cases) {
    test(name, async () => {
      const { request, scrape } = createService()
      await request(path, init)
      const counted = [...(await scrape())].filter(([key]) => key.startsWith('api_http_requests_total'))
      expect(counted).toEqual([[series, 1]])
    })
  }
})

test('every route has a label for the kind of its clients', async () => {
  const { scrape } = createService({ admin: adminDeps() })
  const scopes = [...(await scrape()).keys()].flatMap((key) => {
    const [, route, scope] = /^app_route_info\{route="(.+)",scope="(.+)"\}$/.exec(key) ?? []
    return route === undefined ? [] : [[scope, route]]
  })
  const routesOf = (wanted: string) =>
    scopes.flatMap(([scope, route]) => (scope === wanted ? [route] : [])).sort()
  expect(routesOf('application')).toEqual([
    '/data',
    '/data/:id',
    '/payload',
    '/tasks',
    '/tasks/:id',
    '/tasks/:id/events',
    '/tasks/:id/retry',
    '/tasks/stats',
  ])
  expect(routesOf('background')).toEqual(
    expect.arrayContaining([
      '/',
      '/docs',
      '/health',
      '/metrics',
      '/ready',
      '/tasks/retry',
      '/version',
      '/debug/status/:code',
    ]),
  )
})

test('a thousand random paths and methods add no series but those of unmatched requests', async () => {
  const { request, scrape } = createService()
  const random = (): string => Math.random().toString(36).slice(2)
  await request('/nowhere')
  // Bun passes these methods to the handler, and closes the connection for any other unknown one.
  const methods = ['PROPFIND', 'MKCOL', 'COPY', 'LOCK', 'SEARCH', 'QUERY', 'PURGE']
  await request('/nowhere', { method: 'PROPFIND' })
  const before = (await scrape()).size
  for (let i = 0; i < 1_000; i++) {
    await request(`/${random()}/${random()}?${random()}=${random()}`)
    await request(`/${random()}`, { method: methods[i % methods.length] ?? '' })
  }
  const after = await scrape()
  expect(after.get(total('GET', 'unmatched', 404))).toBe(1_001)
  expect(after.get(total('other', 'unmatched', 404))).toBe(1_001)
  // The second scrape counts the first: these are the only new series, in the counter and the histogram.
  const scrapeSeries = [...after.keys()].filter((key) => /^api_.*route="\/metrics"/.test(key)).length
  expect(after.size).toBe(before + scrapeSeries)
})

test('durations fall into the documented buckets, and buckets, sum and count agree', async () => {
  const { request, scrape } = createService()
  const requests = 20
  for (let i = 0; i < requests; i++) await request('/version')
  await request('/debug/delay/0.12')
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
  expect(counts.at(-1)).toBe(requests)
  expect(series.get(`api_http_request_duration_seconds_count${labels}`)).toBe(requests)
  expect(series.get(`api_http_request_duration_seconds_sum${labels}`)).toBeGreaterThan(0)

  const slow = Object.fromEntries(buckets('/debug/delay/:seconds'))
  expect(slow).toMatchObject({ '0.1': 0, '10': 1, '+Inf': 1 })
  expect(
    series.get(
      'api_http_request_duration_seconds_sum{method="GET",route="/debug/delay/:seconds",status="200"}',
    ),
  ).toBeGreaterThan(0.11)
})

test('sizes are counted of accepted payloads only', async () => {
  const { post, scrape } = createService()
  await post({ numbers: [1], text: 'a'.repeat(11) })
  await post({ numbers: Array.from({ length: 10 }, () => 1), text: '😀' })
  await post({ numbers: [1, 2], text: '' })
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

test('a scrape names the version of its format', async () => {
  const response = await createApp(appDeps()).request('/metrics')
  expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
})

test('with a token, a scrape requires it', async () => {
  const { request } = createApp(appDeps({ metricsToken: 'scraper-token' }))
  for (const headers of [
    {},
    { authorization: 'Bearer other-token' },
    { authorization: 'Basic scraper-token' },
  ])
    await expectProblem(await request('/metrics', { headers }), 401, 'unauthorized')
  const response = await request('/metrics', { headers: { authorization: 'Bearer scraper-token' } })
  expect(response.status).toBe(200)
  expect((await request('/health')).status).toBe(200)
})

test('/metrics does not exist where it is served on another port', async () => {
  const { request } = createApp(appDeps({ hasMetrics: false }))
  await expectProblem(await request('/metrics'), 404, 'not-found')
})

test('a scrape prints the metrics that the primary of several processes collected', async () => {
  const { request } = createApp(appDeps({ scrape: async () => 'collected 1\n' }))
  expect(await (await request('/metrics')).text()).toBe('collected 1\n')
})
