import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { listen } from '../support/listening.ts'
import { hasProgram } from '../support/programs.ts'
import { root } from '../support/root.ts'
import { noDrainWindow, startService } from '../support/service.ts'
import { until } from '../support/until.ts'
import { type Backend, startBackend } from './backend.ts'
import { type Nginx, shippedNginx as shipped, startNginx } from './nginx.ts'

const unit = await Bun.file(join(root, 'deploy/systemd/tally.service')).text()
/** The variables of the shipped unit. */
const unitEnvironment = Object.fromEntries(
  [...unit.matchAll(/^Environment=(\w+)=(.*)$/gm)].map(([, name = '', value = '']) => [name, value]),
)

const ask = (proxy: Nginx, path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(`https://127.0.0.1:${proxy.port}${path}`, { ...init, tls: { ca: Bun.file(proxy.certificate) } })

interface RawOptions {
  /** The loopback address of the client. */
  readonly address?: string
  /** Additional header lines, each with its line end. */
  readonly headers?: string
}

/** Sends a GET with a target that no HTTP client would send. @returns the whole response */
async function getRaw(proxy: Nginx, target: string, from: RawOptions = {}): Promise<string> {
  const { address = '127.0.0.1', headers = '' } = from
  // localAddress is missing in the types of Bun.
  const options = {
    localAddress: address,
    port: proxy.port,
    host: '127.0.0.1',
    ca: await Bun.file(proxy.certificate).text(),
  }
  const socket = connect(options)
  socket.write(
    Buffer.from(
      `GET ${target} HTTP/1.1\r\nHost: tally.example\r\n${headers}Connection: close\r\n\r\n`,
      'latin1',
    ),
  )
  const chunks: Buffer[] = []
  for await (const chunk of socket) chunks.push(chunk)
  return Buffer.concat(chunks).toString('latin1')
}

// nginx is built with TLS wherever openssl exists.
describe.skipIf(!hasProgram('nginx', 'nginx'))('the TLS proxy for a VM', () => {
  let backend: Backend
  let proxy: Nginx

  beforeAll(async () => {
    backend = startBackend('backend')
    proxy = await startNginx(backend.port)
  })
  afterAll(async () => {
    await proxy[Symbol.asyncDispose]()
    backend.stop()
  })

  test('is valid for nginx, without a warning', () => {
    expect(proxy.check.exitCode).toBe(0)
    expect(proxy.check.output).toContain('syntax is ok')
    expect(proxy.check.output).not.toContain('[warn]')
  })

  test('forwards a request with the address of the connection, not one that the client claims', async () => {
    backend.requests.length = 0
    const body = '{"numbers":[1],"text":"a"}'
    const response = await ask(proxy, '/payload', {
      method: 'POST',
      body,
      headers: { 'x-forwarded-for': '203.0.113.7' },
    })
    expect(await response.text()).toBe('backend')
    expect(response.headers.get('strict-transport-security')).toContain('max-age')
    expect(backend.requests[0]?.get('x-forwarded-for')).toBe('127.0.0.1')
    expect(backend.requests[0]?.get('x-forwarded-proto')).toBe('https')
    // Not `close`: nginx keeps its connection to the service.
    expect(backend.requests[0]?.get('connection')).not.toBe('close')
  })

  test('keeps its connections to the service and sends nothing twice', () => {
    // With only one upstream, nginx cannot use another one, and the configuration forbids the same one.
    expect(shipped).toMatch(/^\s*proxy_next_upstream off;$/m)
    expect(shipped).toMatch(/^\s*keepalive \d+;$/m)
  })

  test('rejects a target that is not a URI before it reaches the service', async () => {
    backend.requests.length = 0
    for (const target of [
      '/x\\..\\metrics',
      '/\\metrics',
      '/payload\\',
      '/a\x7fb',
      '/\xc3\xa9',
      '/metrics\x01',
      '/metrics#a',
    ])
      expect({ target, status: (await getRaw(proxy, target)).slice(0, 12) }).toEqual({
        target,
        status: 'HTTP/1.1 400',
      })
    expect(backend.requests).toEqual([])
    // Browsers do not encode these characters in a query.
    expect(await getRaw(proxy, '/data?a=\\{|}')).toStartWith('HTTP/1.1 200')
  })
})

describe.skipIf(!hasProgram('nginx', 'nginx'))('the service behind it', () => {
  test('with the environment of the unit logs the address of the client, and the request id of the proxy', async () => {
    const { DATA_DIR: _, GRACE_PERIOD: __, ...environment } = unitEnvironment
    await using service = await startService({
      env: {
        ...noDrainWindow,
        ...environment,
        PORT: '0',
        METRICS_PORT: '0',
        WEB_CONCURRENCY: '1',
        LOG_FIELDS: 'client_address',
      },
    })
    await using proxy = await startNginx(service.port)
    // The proxy itself connects from 127.0.0.1.
    const address = '127.0.0.2'
    const named = await getRaw(proxy, '/data', { address, headers: 'X-Request-ID: order-4711\r\n' })
    expect(named).toStartWith('HTTP/1.1 200')
    expect(named.toLowerCase()).toContain('x-request-id: order-4711\r\n')
    const forged = 'X-Request-ID: no name\r\nX-Forwarded-For: 203.0.113.7\r\nForwarded: for=203.0.113.8\r\n'
    const unnamed = await getRaw(proxy, '/data', { address, headers: forged })
    const id = /^x-request-id: ([0-9a-f]{32})\r$/im.exec(unnamed)?.[1] ?? ''
    expect(id).not.toBe('')
    for (const name of ['order-4711', id]) {
      const line = await until(() => service.log.lines.find(({ request_id }) => request_id === name))
      expect(line).toMatchObject({ msg: 'request', client_address: address })
      await until(async () => (await proxy.log()).includes(` ${name}\n`))
    }
    // The admin routes are on their own port, on the loopback address only.
    const { url } = await service.log.line('admin server listening')
    expect(String(url)).toStartWith('http://127.0.0.1:')
    expect((await fetch(`${url}admin/log-level`)).status).toBe(200)
    for (const path of ['/metrics', '/admin/log-level', '/ready/disable', '/debug/heap'])
      expect([path, (await ask(proxy, path)).status]).toEqual([path, 404])
    expect((await ask(proxy, '/ready')).status).toBe(200)
  }, 60_000)

  test('hides metrics and admin routes for every spelling of the path', async () => {
    await using service = listen()
    // Only the local machine may read them, and the test runs on it.
    const forbidden = { from: '    allow 127.0.0.1;\n    allow ::1;\n', to: '' }
    await using proxy = await startNginx(service.port, {
      configuration: shipped.replace(forbidden.from, forbidden.to),
    })
    expect(await getRaw(proxy, '/health')).toStartWith('HTTP/1.1 200')
    for (const target of [
      '/metrics',
      '/x\\..\\metrics',
      '/x/..\\metrics',
      '/x/../metrics',
      '/x/%2e%2e/metrics',
      '/%6detrics',
      '/./metrics',
      '//metrics',
      '/x%5c..%5cmetrics',
      '/metrics/',
      '/metrics;a',
      '/metrics%00',
      '/x%2f..%2fmetrics',
      '/admin/log-level',
      '/ready/disable',
      '/debug/heap',
      '/tasks/retry',
      '/x/../admin/log-level',
      '/%61dmin/log-level',
      '//admin//queue',
      '//tasks//retry',
    ]) {
      const answer = await getRaw(proxy, target)
      expect({ target, isRefused: /^HTTP\/1.1 (400|403|404) /.test(answer) }).toEqual({
        target,
        isRefused: true,
      })
      expect(answer).not.toContain('api_http_requests_total')
    }
  })
})
