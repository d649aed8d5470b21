import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { runCommand } from '../support/command.ts'
import { freePorts } from '../support/free-ports.ts'
import { listen } from '../support/listening.ts'
import { hasProgram } from '../support/programs.ts'
import { root } from '../support/root.ts'
import { until } from '../support/until.ts'
import { type Backend, startBackend } from './backend.ts'

/** The shipped configuration in a real nginx on loopback ports. */
interface Proxy extends AsyncDisposable {
  readonly port: number
  readonly certificate: string
  /** What `nginx -t` says. */
  readonly check: { readonly exitCode: number; readonly output: string }
}

const shipped = await Bun.file(join(root, 'deploy/nginx/tally.conf')).text()

/** @param upstream the port of the service behind it */
async function startNginx(upstream: number, configuration = shipped): Promise<Proxy> {
  const directory = await mkdtemp(join(tmpdir(), 'nginx-'))
  await mkdir(join(directory, 'logs'))
  const [plain = 0, tls = 0] = freePorts(2)
  const certificate = join(directory, 'tally.crt')
  const key = join(directory, 'tally.key')
  await runCommand([
    ...['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
    ...['-days', '1', '-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'],
    ...['-keyout', key, '-out', certificate],
  ])
  // The shipped file, but for the addresses and the certificate.
  await Bun.write(
    join(directory, 'tally.conf'),
    configuration
      .replace(/^ *listen \[::\].*\n/gm, '')
      .replace('listen 80;', `listen 127.0.0.1:${plain};`)
      .replace('listen 443 ssl', `listen 127.0.0.1:${tls} ssl`)
      .replace('127.0.0.1:8000', `127.0.0.1:${upstream}`)
      .replace('/etc/nginx/tls/tally.crt', certificate)
      .replace('/etc/nginx/tls/tally.key', key),
  )
  const main = join(directory, 'nginx.conf')
  await Bun.write(
    main,
    `daemon off; master_process off; worker_processes 1; pid ${directory}/nginx.pid;
     error_log ${directory}/logs/error.log;
     events {}
     http {
       access_log off; client_body_temp_path ${directory}/body; proxy_temp_path ${directory}/proxy;
       fastcgi_temp_path ${directory}/f; uwsgi_temp_path ${directory}/u; scgi_temp_path ${directory}/s;
       include ${directory}/tally.conf;
     }`,
  )
  const command = ['nginx', '-p', directory, '-e', `${directory}/logs/error.log`, '-c', main]
  const check = await runCommand([...command, '-t'])
  const nginx = Bun.spawn(command, { stdout: 'ignore', stderr: 'ignore' })
  const proxy: Proxy = {
    port: tls,
    certificate,
    check,
    async [Symbol.asyncDispose]() {
      nginx.kill('SIGTERM')
      await nginx.exited
      await rm(directory, { recursive: true })
    },
  }
  await until(async () => (await ask(proxy, '/')).ok, { what: 'nginx to answer', timeoutMs: 10_000 })
  return proxy
}

const ask = (proxy: Proxy, path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(`https://127.0.0.1:${proxy.port}${path}`, { ...init, tls: { ca: Bun.file(proxy.certificate) } })

/** Sends a GET whose target no HTTP client would send. @returns all that comes back */
async function getRaw(proxy: Proxy, target: string): Promise<string> {
  const socket = connect({
    port: proxy.port,
    host: '127.0.0.1',
    ca: await Bun.file(proxy.certificate).text(),
  })
  socket.write(
    Buffer.from(`GET ${target} HTTP/1.1\r\nHost: tally.example\r\nConnection: close\r\n\r\n`, 'latin1'),
  )
  const chunks: Buffer[] = []
  for await (const chunk of socket) chunks.push(chunk)
  return Buffer.concat(chunks).toString('latin1')
}

// An `openssl` is wherever nginx is built with TLS.
describe.skipIf(!hasProgram('nginx', 'nginx'))('the TLS proxy for a VM', () => {
  let backend: Backend
  let proxy: Proxy

  beforeAll(async () => {
    backend = startBackend('backend')
    proxy = await startNginx(backend.port)
  })
  afterAll(async () => {
    await proxy[Symbol.asyncDispose]()
    backend.stop()
  })

  test('is what nginx expects, without a warning', () => {
    expect(proxy.check.exitCode).toBe(0)
    expect(proxy.check.output).toContain('syntax is ok')
    expect(proxy.check.output).not.toContain('[warn]')
  })

  test('passes a request on, and tells who asks and not what a client says of itself', async () => {
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
    // Not "close": the connection to the service is kept.
    expect(backend.requests[0]?.get('connection')).not.toBe('close')
  })

  test('keeps its connections to the service and sends nothing twice', () => {
    // One upstream: there is nowhere else to go, and this forbids the same place.
    expect(shipped).toMatch(/^\s*proxy_next_upstream off;$/m)
    expect(shipped).toMatch(/^\s*keepalive \d+;$/m)
  })

  test('refuses a target that is no URI before it reaches the service', async () => {
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
    // Browsers leave these in a query as they are.
    expect(await getRaw(proxy, '/data?a=\\{|}')).toStartWith('HTTP/1.1 200')
  })
})

describe.skipIf(!hasProgram('nginx', 'nginx'))('the service behind it', () => {
  test('keeps its metrics to itself, however the path is written', async () => {
    await using service = listen()
    // Only this machine may read them, and the test is on it.
    const forbidden = { from: '    allow 127.0.0.1;\n    allow ::1;\n', to: '' }
    await using proxy = await startNginx(service.port, shipped.replace(forbidden.from, forbidden.to))
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
