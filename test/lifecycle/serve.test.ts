import { describe, expect, test } from 'bun:test'
import {
  createLifecycle,
  type LifecycleOptions,
  type ServeOptions,
  serve,
  serveAdmin,
} from '../../src/lifecycle/index.ts'
import { get, HttpConnection, jsonHead } from '../support/http-connection.ts'
import { until } from '../support/until.ts'

/** A ready server. By default, an incomplete request does not delay the shutdown. */
function start(
  fetch: ServeOptions['fetch'],
  changes: Partial<ServeOptions> = {},
  times: LifecycleOptions = {},
) {
  const lifecycle = createLifecycle({ shutdownTimeoutMs: 0, ...times })
  const server = serve(lifecycle, { port: 0, hostname: '127.0.0.1', fetch, ...changes })
  lifecycle.markReady()
  return { lifecycle, server }
}

async function ask(connection: HttpConnection, path = '/') {
  connection.send(get(path))
  return await connection.next()
}

describe('before the shutdown', () => {
  test('a request gets the response of the handler on a connection that stays open', async () => {
    const { lifecycle, server } = start(() => new Response('x'), {}, { drainMinMs: 0, drainMaxMs: 0 })
    using connection = await HttpConnection.open(server.port)
    for (let i = 0; i < 3; i++) {
      const response = await ask(connection)
      expect(response?.body).toBe('x')
      expect(response?.headers.has('connection')).toBe(false)
    }
    expect(server.servedWhileDraining).toBe(0)
    expect(server.url.port).toBe(String(server.port))
    await lifecycle.shutdown('test')
  })

  test('a client that asked to end the connection reads in the response that it ends', async () => {
    const handlers = [() => new Response('x'), async () => new Response('x')]
    for (const fetch of handlers) {
      const { lifecycle, server } = start(fetch, {}, { drainMinMs: 0, drainMaxMs: 0 })
      const admin = serveAdmin(lifecycle, { port: 0, hostname: '127.0.0.1', fetch })
      for (const { port } of [server, admin])
        for (const options of ['close', 'Keep-Alive , CLOSE']) {
          using connection = await HttpConnection.open(port)
          connection.send(`GET / HTTP/1.1\r\nHost: a\r\nConnection: ${options}\r\n\r\n`)
          const response = await connection.next()
          expect(response?.body).toBe('x')
          expect(response?.headers.get('connection')).toBe('close')
          expect(await connection.end()).toBe('fin')
        }
      await lifecycle.shutdown('test')
    }
  })

  test('a port in use is an immediate error', async () => {
    const { lifecycle, server } = start(() => new Response('x'), {}, { drainMinMs: 0, drainMaxMs: 0 })
    expect(() => start(() => new Response('y'), { port: server.port })).toThrow('in use')
    await lifecycle.shutdown('test')
  })
})

describe('in the drain window', () => {
  const window = { drainMinMs: 0, drainQuietMs: 60_000, drainMaxMs: 60_000 }

  test('serves new and kept connections with Connection: close, and ends the window when they are closed', async () => {
    const { lifecycle, server } = start(() => new Response('x'), {}, window)
    using kept = await HttpConnection.open(server.port)
    await ask(kept)
    const shutdown = lifecycle.shutdown('SIGTERM')

    using fresh = await HttpConnection.open(server.port)
    for (const connection of [fresh, kept]) {
      const response = await ask(connection)
      expect(response?.body).toBe('x')
      expect(response?.headers.get('connection')).toBe('close')
      expect(await connection.end()).toBe('fin')
    }
    expect(await shutdown).toMatchObject({ windowEnd: 'no connections', exitCode: 0 })
    expect(server.servedWhileDraining).toBe(2)
    await expect(HttpConnection.open(server.port)).rejects.toThrow()
  })

  test('asynchronous and streamed responses are complete and have Connection: close', async () => {
    async function* chunks() {
      for (let i = 0; i < 3; i++) {
        await Bun.sleep(5)
        yield `${i};`
      }
    }
    const { lifecycle, server } = start(
      async (request) => {
        await Bun.sleep(5)
        return new Response(request.url.endsWith('/stream') ? chunks() : 'later')
      },
      {},
      window,
    )
    using first = await HttpConnection.open(server.port)
    using second = await HttpConnection.open(server.port)
    const shutdown = lifecycle.shutdown('SIGTERM')
    const [later, streamed] = await Promise.all([ask(first), ask(second, '/stream')])
    expect([later?.body, later?.headers.get('connection')]).toEqual(['later', 'close'])
    expect([streamed?.body, streamed?.headers.get('connection')]).toEqual(['0;1;2;', 'close'])
    expect((await shutdown).exitCode).toBe(0)
  })

  test('a request in flight at the signal is answered', async () => {
    const release = Promise.withResolvers<void>()
    const called = Promise.withResolvers<void>()
    const { lifecycle, server } = start(
      async () => {
        called.resolve()
        await release.promise
        return new Response('in flight')
      },
      {},
      window,
    )
    using connection = await HttpConnection.open(server.port)
    connection.send(get('/'))
    await called.promise
    const shutdown = lifecycle.shutdown('SIGTERM')
    expect(server.inFlight).toBe(1)
    release.resolve()
    expect((await connection.next())?.body).toBe('in flight')
    connection.close()
    expect(await shutdown).toMatchObject({ exitCode: 0, aborted: [] })
  })

  test('serves probes without counting them or keeping the window open', async () => {
    const { lifecycle, server } = start(
      () => new Response('x'),
      { isProbe: (request) => request.url.endsWith('/health') },
      { drainMinMs: 0, drainQuietMs: 300, drainMaxMs: 60_000 },
    )
    // Stays open, so that only the quiet time can end the window.
    using idle = await HttpConnection.open(server.port)
    await ask(idle)
    const shutdown = lifecycle.shutdown('SIGTERM')
    let ended = false
    void shutdown.then(() => {
      ended = true
    })
    while (!ended) {
      try {
        using probe = await HttpConnection.open(server.port)
        await ask(probe, '/health')
      } catch {
        break
      }
      await Bun.sleep(20)
    }
    expect((await shutdown).windowEnd).toBe('quiet')
    expect(server.servedWhileDraining).toBe(0)
    expect(await idle.end()).toBe('fin')
  })
})

describe('after the window', () => {
  const noWindow = { drainMinMs: 0, drainMaxMs: 0 }

  test('finishes a request in flight', async () => {
    const called = Promise.withResolvers<void>()
    const { lifecycle, server } = start(
      async () => {
        called.resolve()
        await Bun.sleep(100)
        return new Response('finished')
      },
      {},
      { ...noWindow, shutdownTimeoutMs: 10_000 },
    )
    using connection = await HttpConnection.open(server.port)
    connection.send(get('/'))
    await called.promise
    const shutdown = lifecycle.shutdown('SIGTERM')
    expect((await connection.next())?.body).toBe('finished')
    expect(await shutdown).toMatchObject({ windowEnd: 'maximum', exitCode: 0, aborted: [] })
  })

  test('aborts late requests and names each of them', async () => {
    const { lifecycle, server } = start(
      () => new Promise<Response>(() => {}),
      { describeInFlight: () => ['GET /slow 17'] },
      { ...noWindow, shutdownTimeoutMs: 200 },
    )
    using first = await HttpConnection.open(server.port)
    using second = await HttpConnection.open(server.port)
    first.send(get('/slow'))
    second.send(jsonHead('/slow', 'a body that never comes'))
    await until(() => server.inFlight === 2)
    const result = await lifecycle.shutdown('SIGTERM')
    expect(result).toMatchObject({ exitCode: 1, aborted: ['GET /slow 17', 'unnamed request'] })
    expect(await first.next()).toBeUndefined()
    expect(await second.next()).toBeUndefined()
  })

  test('an incomplete request head delays the shutdown until the timeout and does not count as lost', async () => {
    const { lifecycle, server } = start(() => new Response('x'), {}, { ...noWindow, shutdownTimeoutMs: 200 })
    using connection = await HttpConnection.open(server.port)
    connection.send('GET / HTTP/1.1\r\nHos')
    await Bun.sleep(20)
    const result = await lifecycle.shutdown('SIGTERM')
    expect(result).toMatchObject({ exitCode: 0, aborted: [] })
    expect(result.durationsMs.finishing).toBeGreaterThan(150)
    expect(await connection.next()).toBeUndefined()
  })
})
