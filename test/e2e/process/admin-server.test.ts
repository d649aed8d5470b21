import { describe, expect, test } from 'bun:test'
import { get, HttpConnection } from '../../support/http-connection.ts'
import { runService, type Service, startService } from '../../support/service.ts'
import { until } from '../../support/until.ts'

const env = { METRICS_PORT: '0', DRAIN_QUIET: '60s', DRAIN_MAX: '60s', DEBUG_ROUTES: 'true' }
const worker = { program: 'src/worker.ts', env: { ...env, WORKER_PORT: '0' } }

async function operationsPortOf(service: Service): Promise<number> {
  return Number(new URL(String((await service.log.line('admin server listening')).url)).port)
}

async function ask(port: number, path: string) {
  using connection = await HttpConnection.open(port)
  connection.send(get(path))
  const response = await connection.next()
  return { status: response?.status, body: response?.body ?? '' }
}

describe('with METRICS_PORT', () => {
  for (const [name, options] of [
    ['a server', { env }],
    ['a worker', worker],
    ['several processes', { env: { ...env, WEB_CONCURRENCY: '2' } }],
  ] as const)
    test(`${name} serves its metrics only there, and the probes on both ports`, async () => {
      await using service = await startService(options)
      const operationsPort = await operationsPortOf(service)
      await until(async () => (await ask(operationsPort, '/ready')).status === 200)
      for (const path of ['/health', '/ready', '/version'])
        for (const port of [service.port, operationsPort])
          expect({ path, port, ...(await ask(port, path)) }).toMatchObject({ path, port, status: 200 })
      expect((await ask(service.port, '/metrics')).status).toBe(404)
      expect((await ask(operationsPort, '/payload')).status).toBe(404)
      const metrics = (await ask(operationsPort, '/metrics')).body
      const labels = 'method="GET",route="/version",status="200"'
      expect(metrics).toContain(`api_http_requests_total{${labels}} 2\n`)
      expect(metrics).toContain('app_state{state="ready"} ')
    }, 30_000)

  test('a scrape is answered while the last request finishes and the application port refuses connections', async () => {
    await using service = await startService({ env: { ...env, DRAIN_MAX: '0s', LOG_LEVEL: 'debug' } })
    const operationsPort = await operationsPortOf(service)
    using slow = await HttpConnection.open(service.port)
    slow.send(get('/debug/delay/2.5'))
    await until(async () =>
      (await ask(operationsPort, '/metrics')).body.includes('api_http_requests_in_flight 1\n'),
    )
    service.signal('SIGTERM')
    // A client that connects while the port closes is refused a second later.
    await until(() =>
      ask(service.port, '/health').then(
        () => false,
        () => true,
      ),
    )
    expect((await ask(operationsPort, '/metrics')).body).toContain('app_state{state="draining"} 1\n')
    expect(await ask(operationsPort, '/ready')).toMatchObject({
      status: 503,
      body: expect.stringContaining('draining'),
    })
    expect((await slow.next())?.status).toBe(200)
    expect(await service.exited).toBe(0)
  }, 30_000)

  test('a scraper on a kept connection does not keep the drain window open', async () => {
    await using service = await startService({ env })
    using scraper = await HttpConnection.open(await operationsPortOf(service))
    scraper.send(get('/metrics'))
    expect((await scraper.next())?.status).toBe(200)
    service.signal('SIGTERM')
    expect(await service.exited).toBe(0)
    expect(service.log.lines.at(-1)).toMatchObject({ msg: 'stopped', window_end: 'no connections' })
    expect(await scraper.end()).toBe('fin')
  }, 30_000)

  test('half a request there does not delay the exit', async () => {
    await using service = await startService({ env })
    using half = await HttpConnection.open(await operationsPortOf(service))
    half.send('GET /metrics HTTP/1.1\r\nHos')
    service.signal('SIGTERM')
    expect(await service.exited).toBe(0)
    expect(service.log.lines.at(-1)?.closing_ms).toBeLessThan(3_000)
  }, 30_000)

  test('several processes are summed there, including a replaced one', async () => {
    await using service = await startService({ env: { ...env, WEB_CONCURRENCY: '2' } })
    const operationsPort = await operationsPortOf(service)
    for (let i = 0; i < 10; i++) await ask(service.port, '/version')
    service.signal('SIGHUP')
    await service.log.line('rolling restart finished')
    for (let i = 0; i < 10; i++) await ask(service.port, '/version')
    const scrapes = await Promise.all(Array.from({ length: 4 }, () => ask(operationsPort, '/metrics')))
    for (const { body } of scrapes) {
      expect(body).toContain('api_http_requests_total{method="GET",route="/version",status="200"} 20\n')
      expect(body).toContain('app_state{state="ready"} 2\n')
    }
    expect(JSON.parse((await ask(operationsPort, '/ready')).body)).toEqual({
      status: 'ready',
      backends: { store: 'sqlite', queue: 'sqlite' },
      checks: { processes: 'ok', store: 'ok', queue: 'ok', queue_durable: 'ok' },
    })
    service.signal('SIGTERM')
    expect(await service.exited).toBe(0)
  }, 30_000)

  test('METRICS_HOST keeps it on another address than clients use', async () => {
    await using service = await startService({ env: { ...env, METRICS_HOST: '127.0.0.2' } })
    const { url } = await service.log.line('admin server listening')
    expect(String(url)).toStartWith('http://127.0.0.2:')
    const port = Number(new URL(String(url)).port)
    const heap = (host: string) => fetch(`http://${host}:${port}/debug/heap`, { method: 'POST' })
    expect((await heap('127.0.0.2')).status).toBe(200)
    await expect(heap('127.0.0.1')).rejects.toThrow()
    expect((await ask(service.port, '/health')).status).toBe(200)
  }, 60_000)

  test('the start fails if that port is in use, and no process is left', async () => {
    await using taken = await startService({ env })
    const port = String(await operationsPortOf(taken))
    for (const WEB_CONCURRENCY of ['1', '2']) {
      const { exitCode, output } = await runService({ env: { ...env, METRICS_PORT: port, WEB_CONCURRENCY } })
      expect(exitCode).toBe(1)
      expect(output).toContain('"msg":"cannot start"')
    }
  }, 30_000)
})
