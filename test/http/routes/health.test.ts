import { describe, expect, test } from 'bun:test'
import { hostname } from 'node:os'
import { type AppDeps, createApp } from '../../../src/http/app.ts'
import type { Check } from '../../../src/http/middleware/check.ts'
import { createChecks, createLifecycle } from '../../../src/lifecycle/index.ts'
import { adminDeps } from '../../support/admin-deps.ts'
import { appDeps } from '../../support/app-deps.ts'
import { listen } from '../../support/listening.ts'
import { expectProblem } from '../../support/problems.ts'
import { connectRaw } from '../../support/raw-connection.ts'

const app = createApp(appDeps())

describe('liveness', () => {
  for (const path of ['/health', '/healthz', '/livez']) {
    test(`${path} is 200 and names the service`, async () => {
      const response = await app.request(path)
      expect(response.status).toBe(200)
      expect((await response.json()) as object).toEqual({
        status: 'ok',
        service: 'tally',
        version: '0.0.0-test',
        timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      })
    })
  }

  test('is 200 while starting, draining and stopped, and while every dependency is unavailable', async () => {
    const lifecycle = createLifecycle()
    const checks = createChecks([
      { name: 'store', required: true, probe: () => Promise.reject(new Error('unreachable')) },
    ])
    const { request } = createApp(appDeps({ lifecycle, checks }))
    const status = async (): Promise<number> => (await request('/health')).status
    expect(await status()).toBe(200)
    lifecycle.markReady()
    const stopped = lifecycle.shutdown('SIGTERM')
    expect(lifecycle.state.name).toBe('draining')
    expect(await status()).toBe(200)
    await stopped
    expect(await status()).toBe(200)
  })
})

/** The backends that the service of `appDeps` reports. */
const backends = { store: 'sqlite', queue: 'sqlite' }

describe('readiness', () => {
  const failing = (): Promise<void> => Promise.reject(new Error('unreachable'))

  for (const path of ['/ready', '/readyz']) {
    test(`${path} is 200 when the instance accepts traffic`, async () => {
      const response = await app.request(path)
      expect(response.status).toBe(200)
      expect((await response.json()) as object).toEqual({
        status: 'ready',
        checks: {},
        backends,
      })
    })
  }

  /** Expects 503 of /ready, and returns its body. */
  async function expectNotReady(changes: Partial<AppDeps>): Promise<object> {
    const response = await createApp(appDeps(changes)).request('/ready')
    expect(response.status).toBe(503)
    expect(response.headers.get('retry-after')).toBe('1')
    return (await response.json()) as object
  }

  test('is 503 while starting', async () => {
    expect(await expectNotReady({ lifecycle: createLifecycle() })).toEqual({
      status: 'not ready',
      reason: 'starting',
      checks: {},
      backends,
    })
  })

  test('is 503 from the beginning of a drain, and after the shutdown', async () => {
    const lifecycle = createLifecycle()
    lifecycle.markReady()
    const stopped = lifecycle.shutdown('SIGTERM')
    expect(await expectNotReady({ lifecycle })).toMatchObject({ reason: 'draining' })
    await stopped
    expect(await expectNotReady({ lifecycle })).toMatchObject({ reason: 'draining' })
  })

  test('is 503 while disabled by an operator, and 200 again afterwards', async () => {
    const lifecycle = createLifecycle()
    lifecycle.markReady()
    lifecycle.setEnabled(false)
    expect(await expectNotReady({ lifecycle })).toMatchObject({ reason: 'disabled' })
    lifecycle.setEnabled(true)
    expect((await createApp(appDeps({ lifecycle })).request('/ready')).status).toBe(200)
  })

  test('is 503 while a required check fails, and names it as the reason', async () => {
    const checks = createChecks([
      { name: 'queue', probe: () => Promise.resolve() },
      { name: 'store', probe: failing, required: true },
    ])
    expect(await expectNotReady({ checks })).toEqual({
      status: 'not ready',
      reason: 'store unavailable',
      checks: { queue: 'ok', store: 'failing' },
      backends,
    })
  })

  test('is 200 while an optional check fails, and shows it', async () => {
    const checks = createChecks([{ name: 'store', probe: failing }])
    const response = await createApp(appDeps({ checks })).request('/ready')
    expect(response.status).toBe(200)
    expect((await response.json()) as object).toEqual({
      status: 'ready',
      checks: { store: 'failing' },
      backends,
    })
  })

  test('names the state of the instance rather than a failing check', async () => {
    const checks = createChecks([{ name: 'store', probe: failing, required: true }])
    expect(await expectNotReady({ checks, lifecycle: createLifecycle() })).toMatchObject({
      reason: 'starting',
    })
  })
})

describe('other routes', () => {
  test('/version names the build', async () => {
    expect((await (await app.request('/version')).json()) as object).toEqual({
      service: 'tally',
      version: '0.0.0-test',
      revision: 'test',
      runtime: `bun ${Bun.version}`,
      backends,
    })
  })

  test('/ names the service and its main paths, and each of them responds', async () => {
    const about = (await (await app.request('/')).json()) as Record<string, unknown>
    expect(about).toMatchObject({
      name: 'tally',
      version: '0.0.0-test',
      revision: 'test',
      runtime: `bun ${Bun.version}`,
      platform: `${process.platform} ${process.arch}`,
      host: hostname(),
    })
    expect(about.uptime_seconds).toBeWithin(0, process.uptime() + 1)
    const paths = Object.values(about).filter((value) => String(value).startsWith('/'))
    expect(paths).toHaveLength(5)
    for (const path of paths) expect((await app.request(String(path))).status).toBe(200)
  })

  test('/ does not name /metrics where it is served on another port', async () => {
    const response = await createApp(appDeps({ hasMetrics: false })).request('/')
    expect(await response.json()).not.toHaveProperty('metrics')
  })

  test('probes and pages do not exist under /v1', async () => {
    for (const path of ['/v1/health', '/v1/metrics', '/v1/docs', '/v1'])
      await expectProblem(await app.request(path), 404, 'not-found')
  })

  test('an unknown path is 404, even one similar to a route', async () => {
    for (const path of [
      '/nope',
      '/payload/',
      '/PAYLOAD',
      '/health/x',
      '/v2/payload',
      '/v1/v1/payload',
      '//health',
    ])
      await expectProblem(await app.request(`http://localhost${path}`), 404, 'not-found')
  })
})

describe('methods', () => {
  const admin = adminDeps()
  const complete = createApp(appDeps({ admin, debugRoutes: true }))
  const methodsByPath = new Map<string, Set<string>>()
  for (const route of complete.routes) {
    const [method = '', path = ''] = route.split(' ')
    // Middleware is registered for all methods.
    if (method === 'ALL') continue
    const methods = methodsByPath.get(path) ?? new Set()
    for (const one of method === 'GET' ? ['GET', 'HEAD'] : [method]) methods.add(one)
    methodsByPath.set(path, methods)
  }

  test('are known of routes of every kind', () => {
    expect(methodsByPath.get('/data/:id')).toEqual(new Set(['GET', 'HEAD', 'PUT', 'DELETE']))
    for (const path of [
      '/payload',
      '/v1/payload',
      '/health',
      '/livez',
      '/',
      '/docs',
      '/debug/heap',
      '/debug/crash',
    ])
      expect([...methodsByPath.keys()]).toContain(path)
  })

  for (const [path, methods] of methodsByPath) {
    test(`${path} responds 405 with Allow to every method that it does not support`, async () => {
      const unsupported = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND'].filter(
        (method) => !methods.has(method),
      )
      for (const method of unsupported) {
        const response = await complete.request(path.replaceAll(/:\w+/g, '1'), { method })
        await expectProblem(response, 405, 'method-not-allowed')
        expect(response.headers.get('allow')?.split(', ').toSorted()).toEqual([...methods].toSorted())
      }
    })
  }
})

test('probes are logged at debug, but another method on their path at info', async () => {
  const lines: string[] = []
  const deps = appDeps({}, lines)
  const { request } = createApp(deps)
  await request('/health')
  await request('/health', { method: 'POST' })
  await deps.log.flush()
  const logged = lines
    .join('')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { level: string; status: number })
  expect(logged.map(({ level, status }) => `${level} ${status}`)).toEqual(['debug 200', 'info 405'])
})

describe('HEAD', () => {
  test('has the status, type and length of GET on every route, and no body', async () => {
    await using server = listen()
    const paths = server.app.routes
      .flatMap((route) => (route.startsWith('GET ') ? [route.slice('GET '.length)] : []))
      // The contents of these two change by themselves.
      .filter((path) => !path.includes(':') && path !== '/metrics' && path !== '/')
    expect(paths).toContain('/health')
    expect(paths).toContain('/docs/swagger-ui.css')
    using connection = await connectRaw(server.port)
    for (const path of new Set(paths)) {
      const format = (method: string): string => `${method} ${path} HTTP/1.1\r\nHost: tally.example\r\n\r\n`
      await connection.send(format('GET'))
      const full = await connection.next()
      await connection.send(format('HEAD'))
      const head = await connection.next('HEAD')
      expect({ path, status: head?.status, length: head?.headers.get('content-length') }).toEqual({
        path,
        status: full?.status,
        length: `${full?.body.length}`,
      })
      expect(head?.headers.get('content-type')).toBe(full?.headers.get('content-type') ?? 'none')
    }
  })

  test('has its own method label', async () => {
    const service = createApp(appDeps())
    await service.fetch(new Request('http://localhost/health', { method: 'HEAD' }))
    const metrics = await (await service.request('/metrics')).text()
    expect(metrics).toContain('api_http_requests_total{method="HEAD",route="/health",status="200"} 1')
  })

  test('is 405 where GET is', async () => {
    const head = new Request('http://localhost/payload', { method: 'HEAD' })
    await expectProblem(await app.fetch(head), 405, 'method-not-allowed')
  })
})

describe('404 and 405', () => {
  const refused: Check = () => ({ code: 'unauthorized', detail: 'Credentials are required.' })
  const guarded = createApp(
    appDeps({
      applicationChecks: [refused],
      // The service's own checks require no credentials, so they let a preflight pass.
      pageChecks: [
        (request, context) => (request.method === 'OPTIONS' ? undefined : refused(request, context)),
      ],
      cors: { origins: ['https://page.example'] },
      metricsToken: 'scraper',
      admin: adminDeps({ token: 'operator' }),
    }),
  )

  test('run before checks, tokens and CSRF protection', async () => {
    for (const [method, path, status, code] of [
      ['GET', '/payload', 405, 'method-not-allowed'],
      ['DELETE', '/v1/data', 405, 'method-not-allowed'],
      ['POST', '/docs', 405, 'method-not-allowed'],
      ['POST', '/metrics', 405, 'method-not-allowed'],
      ['DELETE', '/admin/log-level', 405, 'method-not-allowed'],
      ['GET', '/debug/heap', 405, 'method-not-allowed'],
      ['GET', '/data/1/2', 404, 'not-found'],
      ['GET', '/docs/nothing', 404, 'not-found'],
      ['GET', '/admin/nothing', 404, 'not-found'],
      ['OPTIONS', '/data/1/2', 404, 'not-found'],
      ['OPTIONS', '/health', 405, 'method-not-allowed'],
      ['OPTIONS', '/admin/log-level', 405, 'method-not-allowed'],
      ['OPTIONS', '/debug/heap', 405, 'method-not-allowed'],
    ] as const) {
      const response = await guarded.request(path, { method, headers: { origin: 'https://page.example' } })
      await expectProblem(response, status, code)
      expect(response.headers.get('content-security-policy')).toBeNull()
    }
    const response = await guarded.request('/payload', { method: 'POST' })
    await expectProblem(response, 401, 'unauthorized')
  })

  test('a preflight of an existing path needs no credentials and has its route label', async () => {
    const headers = { origin: 'https://page.example', 'access-control-request-method': 'POST' }
    const { status } = await guarded.request('/v1/payload', { method: 'OPTIONS', headers })
    expect(status).toBe(204)
    const token = { authorization: 'Bearer scraper' }
    const metrics = await (await guarded.request('/metrics', { headers: token })).text()
    expect(metrics).toContain('api_http_requests_total{method="OPTIONS",route="/payload",status="204"} 1')
  })
})

test('probes and scrapes do not keep a drain window open, other requests do', () => {
  const isProbe = (path: string): boolean => app.isProbe(new Request(`http://localhost${path}`))
  for (const path of [
    '/health',
    '/healthz',
    '/livez',
    '/ready',
    '/readyz',
    '/metrics',
    '/version',
    '/health?x=1',
  ])
    expect({ path, isProbe: isProbe(path) }).toEqual({ path, isProbe: true })
  for (const path of ['/', '/payload', '/v1/payload', '/data/1', '/nope', '/healthy', '/?health'])
    expect({ path, isProbe: isProbe(path) }).toEqual({ path, isProbe: false })
})
