import { describe, expect, test } from 'bun:test'
import { createApp } from '../../../src/http/app.ts'
import { hashKey, parseApiKeys } from '../../../src/http/middleware/api-keys.ts'
import { auth } from '../../../src/http/middleware/auth.ts'
import type { Console } from '../../../src/http/routes/console.ts'
import type { InstanceJson } from '../../../src/http/routes/instance-json.ts'
import { appDeps } from '../../support/app-deps.ts'
import { examplePayload } from '../../support/example-payload.ts'

const script = 'text/javascript;charset=utf-8'
const built: Console = {
  page: '<!doctype html><title>Console</title><script src="console/index-1a2b.js"></script>',
  files: new Map([
    [
      'index-1a2b.js',
      {
        identity: new Blob(['plain'], { type: script }),
        br: new Blob(['in brotli'], { type: script }),
        zstd: new Blob(['in zstd'], { type: script }),
      },
    ],
    ['unpacked-3c4d.js', { identity: new Blob(['plain'], { type: script }) }],
  ]),
}
const load = async () => built
const app = createApp(appDeps({ console: { load } }))
const browser = 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8'
const ask = (path: string, headers: Record<string, string> = {}) => app.request(path, { headers })

describe('GET /', () => {
  for (const [accept, type] of [
    [undefined, 'application/json'],
    ['*/*', 'application/json'],
    ['application/json', 'application/json'],
    ['application/json, text/html', 'application/json'],
    ['text/html;q=0.5, application/json', 'application/json'],
    ['image/png', 'application/json'],
    ['text/html', 'text/html; charset=UTF-8'],
    [browser, 'text/html; charset=UTF-8'],
  ] as const)
    test(`answers Accept: ${accept} with ${type}, and caches keep the two apart`, async () => {
      const response = await ask('/', accept === undefined ? {} : { accept })
      expect(response.status).toBe(200)
      expect(response.headers.get('content-type')).toBe(type)
      expect(response.headers.get('vary')).toBe('Accept')
    })

  test('answers all clients with JSON if there is no console', async () => {
    const without = createApp(appDeps())
    const response = await without.request('/', { headers: { accept: browser } })
    expect(response.headers.get('content-type')).toBe('application/json')
    expect(response.headers.has('vary')).toBe(false)
    for (const path of ['/console/instance', '/console/index-1a2b.js'])
      expect((await without.request(path)).status).toBe(404)
  })

  test('the page is revalidated each time, and has a policy without any unsafe source', async () => {
    const { headers } = await ask('/', { accept: browser })
    expect(headers.get('cache-control')).toBe('no-cache')
    const policy = headers.get('content-security-policy') ?? ''
    expect(policy).not.toContain('unsafe')
    const directives = policy.split('; ')
    for (const directive of [
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      "connect-src 'self'",
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
      "require-trusted-types-for 'script'",
    ])
      expect(directives).toContain(directive)
  })

  test('the page finds its files below a base path, with and without a trailing slash', async () => {
    const below = createApp(appDeps({ console: { load }, basePath: '/a/tally' }))
    for (const path of ['/a/tally', '/a/tally/']) {
      const page = await (await below.request(path, { headers: { accept: browser } })).text()
      const [, source = ''] = /src="([^"]+)"/.exec(page) ?? []
      const { pathname } = new URL(source, `http://localhost${path}`)
      expect((await below.request(pathname)).status).toBe(200)
    }
  })

  test('the console is loaded at the first request for it', async () => {
    let loads = 0
    const countLoads = () => {
      loads++
      return load()
    }
    const counted = createApp(appDeps({ console: { load: countLoads } }))
    await counted.request('/')
    await counted.request('/console/instance')
    expect(loads).toBe(0)
    await counted.request('/', { headers: { accept: browser } })
    expect(loads).toBe(1)
  })
})

describe('a file of the console', () => {
  for (const [accepted, coding, body] of [
    ['gzip, deflate, br, zstd', 'br', 'in brotli'],
    ['zstd', 'zstd', 'in zstd'],
    ['gzip', null, 'plain'],
    ['br;q=0', null, 'plain'],
  ] as const)
    test(`is sent as stored for Accept-Encoding: ${accepted}, and may be kept for good`, async () => {
      const response = await ask('/console/index-1a2b.js', { 'accept-encoding': accepted })
      expect(response.status).toBe(200)
      expect(response.headers.get('content-encoding')).toBe(coding)
      expect(response.headers.get('content-type')).toBe(script)
      expect(response.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
      expect(response.headers.get('vary')).toBe('Accept-Encoding')
      expect(response.headers.get('content-security-policy')).toStartWith("default-src 'none'")
      expect(await response.text()).toBe(body)
    })

  test('that is not compressed is sent unchanged', async () => {
    const response = await ask('/console/unpacked-3c4d.js', { 'accept-encoding': 'br' })
    expect(response.headers.has('content-encoding')).toBe(false)
    expect(await response.text()).toBe('plain')
  })

  test('that does not exist is a 404', async () => {
    for (const name of ['index-0000.js', '..%2Findex.html', 'index.html'])
      expect((await ask(`/console/${name}`)).status).toBe(404)
  })

  test('is counted under one route', async () => {
    await ask('/console/index-1a2b.js')
    await ask('/console/nothing')
    const scrape = await (await ask('/metrics')).text()
    expect(scrape).toContain('route="/console/:file"')
    expect(scrape).not.toContain('1a2b')
  })
})

describe('GET /console/instance', () => {
  const readInstance = async (changes: Parameters<typeof appDeps>[0] = {}) => {
    const service = createApp(appDeps({ console: { load }, ...changes }))
    const poll = async () => (await (await service.request('/console/instance')).json()) as InstanceJson
    return { service, poll }
  }

  test('describes the instance in less than a kilobyte', async () => {
    const { service } = await readInstance()
    const response = await service.request('/console/instance')
    const text = await response.text()
    expect(text.length).toBeLessThan(1_000)
    expect(JSON.parse(text)).toMatchObject({
      name: 'instance-1',
      version: '0.0.0-test',
      state: 'ready',
      in_flight: 0,
      requests: { total: 0, failed: 0 },
      // The queue of these tests is unavailable.
      queue: null,
    })
  })

  test('counts application requests, and neither itself nor probes, pages and unknown paths', async () => {
    const { service, poll } = await readInstance()
    for (const path of ['/', '/health', '/metrics', '/docs', '/nothing', '/console/instance'])
      await service.request(path)
    expect((await poll()).requests.total).toBe(0)
    const headers = { 'content-type': 'application/json' }
    const body = JSON.stringify(examplePayload)
    await service.request('/payload', { method: 'POST', headers, body })
    await service.request('/v1/payload', { method: 'POST', headers, body })
    // The store is unavailable: 503.
    await service.request('/data')
    const { requests } = await poll()
    expect(requests).toMatchObject({ total: 3, failed: 1 })
    expect(requests.counts).toHaveLength(requests.bounds.length + 1)
    expect(requests.counts.reduce((total, n) => total + n, 0)).toBe(3)
  })

  test('reports that the instance drains', async () => {
    const deps = appDeps({ console: { load } })
    const service = createApp(deps)
    await deps.lifecycle.shutdown('SIGTERM')
    expect(await (await service.request('/console/instance')).json()).toMatchObject({ state: 'stopped' })
  })

  test('counts as background like probes, also below a base path', async () => {
    expect(app.isProbe(new Request('http://localhost/console/instance'))).toBe(true)
    expect(app.isProbe(new Request('http://localhost/console/index-1a2b.js'))).toBe(false)
    expect(app.isProbe(new Request('http://localhost/'))).toBe(false)
    const below = createApp(appDeps({ console: { load }, basePath: '/a' }))
    expect(below.isProbe(new Request('http://localhost/a/console/instance'))).toBe(true)
  })

  test('is not shed under load', async () => {
    const busy = createApp(appDeps({ console: { load }, overload: { maxInFlight: 0, maxLagMs: 1_000 } }))
    expect((await busy.request('/data')).status).toBe(503)
    expect((await busy.request('/console/instance')).status).toBe(200)
  })

  test('requires the credentials that the application requires', async () => {
    const keys = parseApiKeys(`console:${hashKey('tally_console').toHex()}`)
    const guarded = createApp(appDeps({ console: { load, checks: [auth({ keys: () => keys })] } }))
    expect((await guarded.request('/console/instance')).status).toBe(401)
    const headers = { 'x-api-key': 'tally_console' }
    expect((await guarded.request('/console/instance', { headers })).status).toBe(200)
    expect((await guarded.request('/console/index-1a2b.js')).status).toBe(200)
  })
})
