import { describe, expect, test } from 'bun:test'
import { hostname } from 'node:os'
import { createApp } from '../../../src/http/app.ts'
import { createChecks, createLifecycle } from '../../../src/lifecycle/index.ts'
import { appOptions } from '../../support/app-options.ts'
import { listen } from '../../support/listening.ts'
import { expectProblem } from '../../support/problems.ts'
import { connectRaw } from '../../support/raw-connection.ts'
import { request } from '../../support/requests.ts'

const app = createApp(appOptions())
const get = async (path: string): Promise<Response> => await app.fetch(request(path))

describe('liveness', () => {
  for (const path of ['/health', '/healthz', '/livez']) {
    test(`${path} says ok, and what answers`, async () => {
      const response = await get(path)
      expect(response.status).toBe(200)
      expect((await response.json()) as object).toEqual({
        status: 'ok',
        service: 'tally',
        version: '0.0.0-test',
        timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      })
    })
  }

  test('stays ok while starting, draining and stopped, and with every dependency away', async () => {
    const lifecycle = createLifecycle()
    const checks = createChecks([
      { name: 'store', required: true, probe: () => Promise.reject(new Error('away')) },
    ])
    const service = createApp(appOptions({ lifecycle, checks }))
    const status = async (): Promise<number> => (await service.fetch(request('/health'))).status
    expect(await status()).toBe(200)
    lifecycle.markReady()
    const stopped = lifecycle.shutdown('SIGTERM')
    expect(lifecycle.state.name).toBe('draining')
    expect(await status()).toBe(200)
    await stopped
    expect(await status()).toBe(200)
  })
})

describe('readiness', () => {
  const away = (): Promise<void> => Promise.reject(new Error('away'))

  for (const path of ['/ready', '/readyz']) {
    test(`${path} says ready when nothing speaks against it`, async () => {
      const response = await get(path)
      expect(response.status).toBe(200)
      expect((await response.json()) as object).toEqual({ status: 'ready', checks: {} })
    })
  }

  /** What /ready answers 503 with. */
  async function refusal(changes: Parameters<typeof appOptions>[0]): Promise<object> {
    const response = await createApp(appOptions(changes)).fetch(request('/ready'))
    expect(response.status).toBe(503)
    expect(response.headers.get('retry-after')).toBe('1')
    return (await response.json()) as object
  }

  test('no, while starting', async () => {
    expect(await refusal({ lifecycle: createLifecycle() })).toEqual({
      status: 'not ready',
      reason: 'starting',
      checks: {},
    })
  })

  test('no, from the first moment of draining on, and after the stop', async () => {
    const lifecycle = createLifecycle()
    lifecycle.markReady()
    const stopped = lifecycle.shutdown('SIGTERM')
    expect(await refusal({ lifecycle })).toMatchObject({ reason: 'draining' })
    await stopped
    expect(await refusal({ lifecycle })).toMatchObject({ reason: 'draining' })
  })

  test('no, while disabled by hand, and yes again afterwards', async () => {
    const lifecycle = createLifecycle()
    lifecycle.markReady()
    lifecycle.setEnabled(false)
    expect(await refusal({ lifecycle })).toMatchObject({ reason: 'disabled' })
    lifecycle.setEnabled(true)
    expect((await createApp(appOptions({ lifecycle })).fetch(request('/ready'))).status).toBe(200)
  })

  test('no, while a required check fails, and its name is the reason', async () => {
    const checks = createChecks([
      { name: 'queue', probe: () => Promise.resolve() },
      { name: 'store', probe: away, required: true },
    ])
    expect(await refusal({ checks })).toEqual({
      status: 'not ready',
      reason: 'store unavailable',
      checks: { queue: 'ok', store: 'failing' },
    })
  })

  test('yes, while a check fails that nothing requires, and it is shown', async () => {
    const checks = createChecks([{ name: 'store', probe: away }])
    const response = await createApp(appOptions({ checks })).fetch(request('/ready'))
    expect(response.status).toBe(200)
    expect((await response.json()) as object).toEqual({ status: 'ready', checks: { store: 'failing' } })
  })

  test('no, for its own reason before that of a check', async () => {
    const checks = createChecks([{ name: 'store', probe: away, required: true }])
    expect(await refusal({ checks, lifecycle: createLifecycle() })).toMatchObject({ reason: 'starting' })
  })
})

describe('the others', () => {
  test('/version says what runs here', async () => {
    expect((await (await get('/version')).json()) as object).toEqual({
      service: 'tally',
      version: '0.0.0-test',
      revision: 'test',
      runtime: `bun ${Bun.version}`,
    })
  })

  test('/ says who answers and where to go on, and every path it names answers', async () => {
    const about = (await (await get('/')).json()) as Record<string, unknown>
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
    for (const path of paths) expect((await get(String(path))).status).toBe(200)
  })

  test('/ does not name /metrics where it is on a port of its own', async () => {
    const response = await createApp(appOptions({ metricsMoved: true })).fetch(request('/'))
    expect(await response.json()).not.toHaveProperty('metrics')
  })

  test('operations and pages have no alias under /v1', async () => {
    for (const path of ['/v1/health', '/v1/metrics', '/v1/docs', '/v1'])
      await expectProblem(await get(path), 404, 'not-found')
  })

  test('an unknown path, also one near a route, is answered 404', async () => {
    for (const path of [
      '/nope',
      '/payload/',
      '/PAYLOAD',
      '/health/x',
      '/v2/payload',
      '/v1/v1/payload',
      '//health',
    ])
      await expectProblem(await get(path), 404, 'not-found')
  })
})

describe('methods', () => {
  const routes = createApp(appOptions()).routes
  const paths = routes.flatMap(({ path, aliases = [], kind }) =>
    [path, ...aliases].flatMap((one) => (kind === 'application' ? [one, `/v1${one}`] : [one])),
  )
  for (const path of new Set(paths)) {
    const asked = path.replaceAll(/:\w+/g, '1')
    const known = new Set(
      routes
        .filter((one) => [one.path, ...(one.aliases ?? [])].some((a) => path === a || path === `/v1${a}`))
        .map(({ method }) => method),
    )

    test(`${path} answers 405 with Allow for every method that it does not have`, async () => {
      const allow = [...known].flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method]))
      const refused = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND'].filter(
        (method) => !allow.includes(method),
      )
      for (const method of refused) {
        const response = await app.fetch(request(asked, { method }))
        await expectProblem(response, 405, 'method-not-allowed')
        expect(response.headers.get('allow')?.split(', ').toSorted()).toEqual(allow.toSorted())
      }
    })
  }
})

describe('HEAD', () => {
  test('wherever GET answers, HEAD answers the same head with its length and no body', async () => {
    await using server = listen()
    const paths = server.app.routes
      // What these two say changes by itself, and its length may too.
      .filter(
        ({ method, path }) => method === 'GET' && !path.includes(':') && path !== '/metrics' && path !== '/',
      )
      .flatMap(({ path, aliases = [] }) => [path, ...aliases])
    expect(paths).toContain('/health')
    using connection = await connectRaw(server.port)
    for (const path of paths) {
      const ask = (method: string): string => `${method} ${path} HTTP/1.1\r\nHost: tally.example\r\n\r\n`
      await connection.send(ask('GET'))
      const full = await connection.next()
      await connection.send(ask('HEAD'))
      const head = await connection.next('HEAD')
      expect({ path, status: head?.status, length: head?.headers.get('content-length') }).toEqual({
        path,
        status: full?.status,
        length: `${full?.body.length}`,
      })
      expect(head?.headers.get('content-type')).toBe(full?.headers.get('content-type') ?? 'none')
    }
  })

  test('is a label of its own', async () => {
    const service = createApp(appOptions())
    await service.fetch(request('/health', { method: 'HEAD' }))
    const metrics = await (await service.fetch(request('/metrics'))).text()
    expect(metrics).toContain('api_http_requests_total{method="HEAD",route="/health",status="200"} 1')
  })

  test('is refused where there is no GET', async () => {
    await expectProblem(await app.fetch(request('/payload', { method: 'HEAD' })), 405, 'method-not-allowed')
  })
})

test('probes and scrapes are background, application requests are not', () => {
  const background = (path: string): boolean => app.isBackground(request(path))
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
    expect({ path, background: background(path) }).toEqual({ path, background: true })
  for (const path of ['/', '/payload', '/v1/payload', '/data/1', '/nope', '/healthy', '/?health'])
    expect({ path, background: background(path) }).toEqual({ path, background: false })
})
