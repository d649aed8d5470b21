import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runCommand } from '../support/command.ts'
import { freePorts } from '../support/free-ports.ts'
import { hasProgram } from '../support/programs.ts'
import { root } from '../support/root.ts'
import { until } from '../support/until.ts'
import { type Backend, startBackend } from './backend.ts'

// An `openssl` is wherever nginx is built with TLS.
describe.skipIf(!hasProgram('nginx', 'nginx'))('the TLS proxy for a VM', () => {
  let directory = ''
  let backend: Backend
  let url = ''
  let certificate = ''
  let configuration = ''
  let check: { exitCode: number; output: string }
  let nginx: Bun.Subprocess | undefined

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'nginx-'))
    await mkdir(join(directory, 'logs'))
    backend = startBackend('backend')
    const [plain, tls] = freePorts(2)
    url = `https://127.0.0.1:${tls}`
    certificate = join(directory, 'tally.crt')
    const key = join(directory, 'tally.key')
    await runCommand([
      ...['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
      ...['-days', '1', '-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'],
      ...['-keyout', key, '-out', certificate],
    ])

    // The shipped file, but for the addresses and the certificate.
    configuration = await Bun.file(join(root, 'deploy/nginx/tally.conf')).text()
    await Bun.write(
      join(directory, 'tally.conf'),
      configuration
        .replace(/^ *listen \[::\].*\n/gm, '')
        .replace('listen 80;', `listen 127.0.0.1:${plain};`)
        .replace('listen 443 ssl', `listen 127.0.0.1:${tls} ssl`)
        .replace('127.0.0.1:8000', `127.0.0.1:${backend.port}`)
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
    check = await runCommand([...command, '-t'])
    nginx = Bun.spawn(command, { stdout: 'ignore', stderr: 'ignore' })
    await until(async () => (await ask('/')).ok, { what: 'nginx to answer', timeoutMs: 10_000 })
  })
  afterAll(async () => {
    nginx?.kill('SIGTERM')
    await nginx?.exited
    backend.stop()
    await rm(directory, { recursive: true })
  })

  const ask = (path: string, init: RequestInit = {}): Promise<Response> =>
    fetch(url + path, { ...init, tls: { ca: Bun.file(certificate) } })

  test('is what nginx expects, without a warning', () => {
    expect(check.exitCode).toBe(0)
    expect(check.output).toContain('syntax is ok')
    expect(check.output).not.toContain('[warn]')
  })

  test('passes a request on, and tells who asks and not what a client says of itself', async () => {
    backend.requests.length = 0
    const body = '{"numbers":[1],"text":"a"}'
    const response = await ask('/payload', {
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
    expect(configuration).toMatch(/^\s*proxy_next_upstream off;$/m)
    expect(configuration).toMatch(/^\s*keepalive \d+;$/m)
  })
})
