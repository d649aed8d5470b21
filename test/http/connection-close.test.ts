import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import type { DocumentStore } from '../../src/documents/document-store.ts'
import { openDocumentStore } from '../../src/documents/open.ts'
import { createApp } from '../../src/http/app.ts'
import { createLifecycle, serveAdmin } from '../../src/lifecycle/index.ts'
import { adminDeps } from '../support/admin-deps.ts'
import { appDeps } from '../support/app-deps.ts'
import { type Listening, listen } from '../support/listening.ts'
import { connectRaw, exchangeRaw } from '../support/raw-connection.ts'

// Bun treats the trailers of a chunked body as another request and responds 400 to that. On a connection that a proxy
// shares among its clients, any of them could get the 400.
setDefaultTimeout(20_000)

const payload = '{"numbers":[1],"text":"a"}'
const trailers = 'X-Checksum: b\r\n'
const chunked = (method: string, path: string, body = payload, after = ''): string =>
  `${method} ${path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n` +
  `${body.length.toString(16)}\r\n${body}\r\n0\r\n${after}\r\n`

let store: DocumentStore
let server: Listening
beforeAll(async () => {
  store = await openDocumentStore({ url: 'sqlite::memory:', dataDir: '.' })
  server = listen({ store, admin: adminDeps() })
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  await store.close()
})

describe('a chunked request', () => {
  const cases: [status: number, method: string, path: string][] = [
    [200, 'POST', '/payload'],
    [200, 'POST', '/v1/payload'],
    [201, 'POST', '/data'],
    [201, 'PUT', '/data/a'],
    [503, 'POST', '/tasks'],
    [200, 'GET', '/health'],
    [200, 'GET', '/metrics'],
    [404, 'GET', '/nowhere'],
    [405, 'DELETE', '/payload'],
  ]
  test.each(cases)('gets %d, and its connection ends: %s %s', async (status, method, path) => {
    using connection = await connectRaw(server.port)
    const body = path === '/tasks' ? '{"payload":{"numbers":[1],"text":"a"}}' : payload
    void connection.send(chunked(method, path, body))
    const response = await connection.next()
    expect({ status: response?.status, connection: response?.headers.get('connection') }).toEqual({
      status,
      connection: 'close',
    })
    expect(await connection.next()).toBeUndefined()
  })

  test('ends its connection also without the fast path, and on the admin port', async () => {
    const lifecycle = createLifecycle()
    const app = createApp(appDeps({ payloadFastPath: false }))
    const admin = serveAdmin(lifecycle, { port: 0, hostname: '127.0.0.1', fetch: app.fetch })
    using connection = await connectRaw(admin.port)
    void connection.send(chunked('POST', '/payload'))
    expect((await connection.next())?.headers.get('connection')).toBe('close')
    expect(await connection.next()).toBeUndefined()
    await lifecycle.shutdown('test')
    app.requests.close()
  })

  test('that is refused before its body was read ends its connection as well', async () => {
    await using busy = listen({ overload: { maxInFlight: 0, maxLagMs: 0 } })
    const response = await exchangeRaw(busy.port, chunked('POST', '/payload'))
    expect(response?.status).toBe(503)
    expect(response?.headers.get('connection')).toBe('close')
  })
})

describe('trailers', () => {
  test('leave no second response that another client could get', async () => {
    for (const path of ['/payload', '/health']) {
      using connection = await connectRaw(server.port)
      await connection.send(chunked(path === '/health' ? 'GET' : 'POST', path, payload, trailers))
      const response = await connection.next()
      expect(response?.status).toBe(200)
      expect(response?.headers.get('connection')).toBe('close')
    }
  })

  test('that arrive after the response change nothing', async () => {
    using connection = await connectRaw(server.port)
    await connection.send(chunked('POST', '/data', '{"id":"late"}', trailers).slice(0, -trailers.length - 2))
    expect((await connection.next())?.status).toBe(201)
    await connection.send(`${trailers}\r\n`)
    expect(await connection.next()).toBeUndefined()
    expect((await store.get('late'))?.body).toBe('{"id":"late"}')
  })

  test('that Bun answers with 400 store nothing', async () => {
    for (const method of ['POST', 'PUT']) {
      const id = `trailers-${method}`
      const path = method === 'POST' ? '/data' : `/data/${id}`
      const response = await exchangeRaw(server.port, chunked(method, path, `{"id":"${id}"}`, trailers))
      expect(response?.status).toBe(400)
      expect(await store.get(id)).toBeUndefined()
    }
  })

  test('behind a body that is too large leave the client its 413', async () => {
    const large = JSON.stringify({ a: 'a'.repeat(2 ** 20 + 1) })
    const response = await exchangeRaw(server.port, chunked('POST', '/data', large, trailers))
    expect(response?.status).toBe(413)
  })
})

describe('a request with a length', () => {
  test.each(['/payload', '/data'])('keeps its connection: %s', async (path) => {
    using connection = await connectRaw(server.port)
    const request = `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${payload.length}\r\n\r\n${payload}`
    for (let i = 0; i < 3; i++) {
      await connection.send(request)
      const response = await connection.next()
      expect(response?.status).toBe(path === '/data' ? 201 : 200)
      expect(response?.headers.get('connection')).toBeNull()
    }
  })
})

describe('a client that ends the connection with its request', () => {
  const cases: [method: string, path: string, options: string][] = [
    ['POST', '/payload', 'close'],
    ['POST', '/data', 'Close'],
    ['GET', '/health', 'keep-alive , close'],
    ['GET', '/metrics', 'close, TE'],
    ['GET', '/nowhere', 'close'],
    ['HEAD', '/health', 'close'],
  ]
  test.each(cases)('reads that it ends: %s %s, Connection: %s', async (method, path, options) => {
    using connection = await connectRaw(server.port)
    const body = method === 'POST' ? payload : ''
    void connection.send(
      `${method} ${path} HTTP/1.1\r\nHost: a\r\nConnection: ${options}\r\n` +
        `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    )
    const response = await connection.next(method === 'HEAD' ? 'HEAD' : undefined)
    expect(response?.headers.get('connection')).toBe('close')
    expect(await connection.next()).toBeUndefined()
  })

  test('is not one that keeps it, or names another option', async () => {
    using connection = await connectRaw(server.port)
    for (const options of ['keep-alive', 'closed', 'X-Close']) {
      await connection.send(`GET /health HTTP/1.1\r\nHost: a\r\nConnection: ${options}\r\n\r\n`)
      expect((await connection.next())?.headers.get('connection')).toBeNull()
    }
  })
})
