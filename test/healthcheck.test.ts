import { describe, expect, test } from 'bun:test'
import { checkHealth, connectAddress, findTarget } from '../src/healthcheck.ts'
import { haveOpenssl, makeCertificate } from './support/certificates.ts'
import { runCommand } from './support/command.ts'
import { hasIpv6 } from './support/ipv6.ts'

const program = new URL('../src/healthcheck.ts', import.meta.url).pathname

function serveStatus(status: number) {
  return Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Response('{}', { status }) })
}

async function runCheck(port: number, env: Record<string, string> = {}, ...args: string[]): Promise<number> {
  const { exitCode } = await runCommand([process.execPath, program, ...args], {
    env: { ...process.env, ...env, PORT: String(port) },
  })
  return exitCode
}

describe('the health check', () => {
  test('passes when /health responds with 200', async () => {
    using server = serveStatus(200)
    await expect(checkHealth('127.0.0.1', server.port ?? 0)).resolves.toBeUndefined()
  })

  test('requests only GET /health', async () => {
    const requests: string[] = []
    using server = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      fetch: (request) => {
        requests.push(`${request.method} ${new URL(request.url).pathname}`)
        return new Response('{}')
      },
    })
    await checkHealth('127.0.0.1', server.port ?? 0)
    expect(requests).toEqual(['GET /health'])
  })

  test('fails with the status when it is not 200', async () => {
    using server = serveStatus(503)
    await expect(checkHealth('127.0.0.1', server.port ?? 0)).rejects.toThrow('/health responded with 503')
  })

  test('fails when nothing listens on the port', async () => {
    const server = serveStatus(200)
    const port = server.port ?? 0
    await server.stop(true)
    await expect(checkHealth('127.0.0.1', port)).rejects.toThrow()
  })

  test('fails when the response takes too long', async () => {
    const { promise, resolve } = Promise.withResolvers<Response>()
    using server = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => promise })
    await expect(checkHealth('127.0.0.1', server.port ?? 0, false, 50)).rejects.toThrow(
      'no response within 50 ms',
    )
    resolve(new Response('{}'))
  })

  test('the program exits 0 for a healthy server and 1 for a failing one', async () => {
    using live = serveStatus(200)
    using failing = serveStatus(500)
    expect(await runCheck(live.port ?? 0)).toBe(0)
    expect(await runCheck(failing.port ?? 0)).toBe(1)
  })

  test.skipIf(!haveOpenssl())(
    'the program uses TLS with TLS_CERT and accepts any name in the certificate',
    async () => {
      using live = Bun.serve({
        port: 0,
        hostname: '127.0.0.1',
        tls: { ...(await makeCertificate('tally.example')) },
        fetch: () => new Response('{}'),
      })
      expect(await runCheck(live.port ?? 0, { TLS_CERT: '/tls/tls.crt' })).toBe(0)
      expect(await runCheck(live.port ?? 0)).toBe(1)
    },
  )

  test('the program checks the port of its argument instead of PORT', async () => {
    using live = serveStatus(200)
    using failing = serveStatus(500)
    expect(await runCheck(failing.port ?? 0, {}, `${live.port}`)).toBe(0)
  })

  test('ignores HTTP_PROXY', async () => {
    using live = serveStatus(200)
    using proxy = serveStatus(502)
    const address = `http://127.0.0.1:${proxy.port}`
    expect(await runCheck(live.port ?? 0, { HTTP_PROXY: address, http_proxy: address })).toBe(0)
  })

  test.each([
    ['127.0.0.2', '127.0.0.2'],
    ['0.0.0.0', '127.0.0.1'],
    ['', '127.0.0.1'],
    [' localhost ', 'localhost'],
    ...(hasIpv6
      ? ([
          ['::1', '::1'],
          ['[::1]', '::1'],
          ['::', '::'],
          ['[0:0::0]', '::'],
        ] as const)
      : []),
  ] as const)('the program finds a server and a worker with HOST=%p', async (HOST, hostname) => {
    using live = Bun.serve({ port: 0, hostname, fetch: () => new Response('{}') })
    expect(await runCheck(live.port ?? 0, { HOST })).toBe(0)
    expect(await runCheck(1, { HOST }, `${live.port}`)).toBe(0)
  })

  test.each([
    [undefined, '127.0.0.1'],
    ['0.0.0.0', '127.0.0.1'],
    ['::', '::1'],
    ['[::]', '::1'],
    ['0:0:0:0:0:0:0:0', '::1'],
    ['::1', '::1'],
    ['192.0.2.1', '192.0.2.1'],
    ['tally.internal', 'tally.internal'],
  ])('a server on %p is checked at %s', (host, address) => {
    expect(connectAddress(host)).toBe(address)
  })
})

describe('what is checked', () => {
  const server = ['bun', '/app/main.js']
  const worker = ['bun', '/app/worker.js']

  test('is the server on PORT, with TLS when it has a certificate', () => {
    expect(findTarget({}, server)).toEqual({ port: 8000, tls: false })
    expect(findTarget({ PORT: ' 9000 ', WORKER_PORT: '1' }, server)).toEqual({ port: 9000, tls: false })
    expect(findTarget({ TLS_CERT: '/tls.crt' }, server)).toEqual({ port: 8000, tls: true })
  })

  test('is the worker on WORKER_PORT, without TLS, where the container runs it', () => {
    expect(findTarget({ PORT: '9000', TLS_CERT: '/tls.crt' }, worker)).toEqual({ port: 8081, tls: false })
    expect(findTarget({ WORKER_PORT: '9001' }, worker)).toEqual({ port: 9001, tls: false })
    expect(findTarget({}, ['/sbin/docker-init', '--', ...worker])).toEqual({ port: 8081, tls: false })
  })

  test('is the worker on a port set by hand', () => {
    expect(findTarget({}, server, '8082')).toEqual({ port: 8082, tls: false })
  })
})
