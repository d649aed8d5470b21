import { afterEach, describe, expect, test } from 'bun:test'
import { get, HttpConnection, jsonHead } from '../support/http-connection.ts'
import { until } from '../support/until.ts'

/**
 * Facts about Bun's server that the lifecycle depends on. These tests run none of our code. If one fails, the runtime has
 * changed: review the shutdown sequence.
 */

const opened: { server?: Bun.Server<undefined>; connections: HttpConnection[] } = { connections: [] }

function listen(fetch: (request: Request) => Response | Promise<Response>): Bun.Server<undefined> {
  opened.server = Bun.serve({ port: 0, hostname: '127.0.0.1', idleTimeout: 120, fetch })
  return opened.server
}

async function connect(server: Bun.Server<undefined>, countOnly = false): Promise<HttpConnection> {
  const connection = await HttpConnection.open(server.port!, { countOnly })
  opened.connections.push(connection)
  return connection
}

afterEach(async () => {
  for (const connection of opened.connections.splice(0)) connection.close()
  await opened.server?.stop(true)
})

/** A handler that responds when a test releases it, and reports that it was called. */
function held(): { handler: () => Promise<Response>; called: Promise<void>; release: () => void } {
  const called = Promise.withResolvers<void>()
  const released = Promise.withResolvers<void>()
  return {
    called: called.promise,
    release: released.resolve,
    handler: async () => {
      called.resolve()
      await released.promise
      return new Response('held')
    },
  }
}

const settledWithin = (promise: Promise<unknown>, ms: number) =>
  Promise.race([promise.then(() => true), Bun.sleep(ms).then(() => false)])

describe('reload', () => {
  test('the next request on an open connection gets the new handler', async () => {
    const server = listen(() => new Response('old'))
    const connection = await connect(server)
    connection.send(get('/'))
    expect((await connection.next())?.body).toBe('old')
    server.reload({ fetch: () => new Response('new') })
    connection.send(get('/'))
    expect((await connection.next())?.body).toBe('new')
  })

  test('the port stays the same, and a new connection gets the new handler', async () => {
    const server = listen(() => new Response('old'))
    const { port } = server
    server.reload({ port: 0, hostname: '127.0.0.1', fetch: () => new Response('new') })
    expect(server.port).toBe(port!)
    const connection = await connect(server)
    connection.send(get('/'))
    expect((await connection.next())?.body).toBe('new')
  })

  test('the handler that accepted a request in flight responds to it', async () => {
    const { handler, called, release } = held()
    const server = listen(handler)
    const connection = await connect(server)
    connection.send(get('/'))
    await called
    server.reload({ fetch: () => new Response('new') })
    release()
    expect((await connection.next())?.body).toBe('held')
  })
})

describe('Connection: close on a response', () => {
  test('ends the connection with FIN after a complete response', async () => {
    const server = listen(() => new Response('x', { headers: { connection: 'close' } }))
    const connection = await connect(server)
    connection.send(get('/'))
    const response = await connection.next()
    expect(response?.headers.get('connection')).toBe('close')
    expect(response?.body).toBe('x')
    expect(await connection.end()).toBe('fin')
  })

  test('ends it after the last chunk of a stream, not before', async () => {
    async function* chunks() {
      for (const chunk of ['one ', 'two ', 'three']) {
        await Bun.sleep(5)
        yield chunk
      }
    }
    const server = listen(() => new Response(chunks(), { headers: { connection: 'close' } }))
    const connection = await connect(server)
    connection.send(get('/'))
    const response = await connection.next()
    expect(response?.headers.get('connection')).toBe('close')
    expect(response?.body).toBe('one two three')
    expect(await connection.end()).toBe('fin')
  })

  test('can be set on any response, including those from fetch and redirect', async () => {
    const server = listen(() => new Response('x'))
    const responses = [await fetch(server.url), Response.redirect('http://tally.example/'), Response.json({})]
    for (const response of responses) {
      response.headers.set('connection', 'close')
      expect(response.headers.get('connection')).toBe('close')
    }
  })
})

describe('stop()', () => {
  test('closes an idle connection with FIN and refuses new ones', async () => {
    const server = listen(() => new Response('x'))
    const connection = await connect(server)
    connection.send(get('/'))
    await connection.next()
    await server.stop()
    expect(await connection.end()).toBe('fin')
    await expect(connect(server)).rejects.toThrow()
  })

  test('waits for a running handler, whose response arrives complete', async () => {
    const { handler, called, release } = held()
    const server = listen(handler)
    const connection = await connect(server)
    connection.send(get('/'))
    await called
    const stopped = server.stop()
    expect(await settledWithin(stopped, 50)).toBe(false)
    release()
    expect((await connection.next())?.body).toBe('held')
    expect(await connection.end()).toBe('fin')
    await stopped
  })

  test('waits for an incomplete body', async () => {
    const server = listen(async (request) => new Response(`got ${(await request.text()).length}`))
    const connection = await connect(server)
    const body = 'b'.repeat(1_000)
    connection.send(jsonHead('/', body) + body.slice(500))
    await until(() => server.pendingRequests === 1)
    const stopped = server.stop()
    expect(await settledWithin(stopped, 50)).toBe(false)
    connection.send(body.slice(500))
    expect((await connection.next())?.body).toBe('got 1000')
    await stopped
  })

  test('waits for a slow reader of a large response', async () => {
    const size = 16 * 2 ** 20
    const server = listen(() => new Response(new Uint8Array(size)))
    const connection = await HttpConnection.open(server.port!, {
      countOnly: true,
      slowReader: { bytes: 2 ** 20, pauseMs: 10 },
    })
    opened.connections.push(connection)
    connection.send(get('/'))
    await until(() => server.pendingRequests === 1)
    const stopped = server.stop()
    expect((await connection.next())?.bodyLength).toBe(size)
    await stopped
  })

  test('hangs on an incomplete request head, which does not count as a request', async () => {
    const server = listen(() => new Response('x'))
    const connection = await connect(server)
    connection.send('GET / HTTP/1.1\r\nHos')
    await Bun.sleep(20)
    const stopped = server.stop()
    expect(await settledWithin(stopped, 100)).toBe(false)
    expect(server.pendingRequests).toBe(0)
    connection.send('t: tally.example\r\n\r\n')
    expect((await connection.next())?.body).toBe('x')
    await stopped
  })
})

describe('stop(true)', () => {
  test('ends a connection whose handler is running, without a response', async () => {
    const { handler, called } = held()
    const server = listen(handler)
    const connection = await connect(server)
    connection.send(get('/'))
    await called
    void server.stop(true)
    expect(await connection.next()).toBeUndefined()
    expect(connection.ended).toBe('fin')
  })

  test('ends everything that stop() waits for', async () => {
    const server = listen(() => new Response('x'))
    const connection = await connect(server)
    connection.send('GET / HTTP/1.1\r\nHos')
    await Bun.sleep(20)
    void server.stop()
    void server.stop(true)
    expect(await connection.next()).toBeUndefined()
    expect(connection.ended).toBe('fin')
  })
})

test('pendingRequests counts from the head of a request to the end of its response', async () => {
  const { handler, called, release } = held()
  const server = listen(handler)
  const connections = [await connect(server), await connect(server)]
  expect(server.pendingRequests).toBe(0)
  connections[0]?.send(get('/'))
  connections[1]?.send(jsonHead('/', 'a body that never comes'))
  await called
  await Bun.sleep(20)
  expect(server.pendingRequests).toBe(2)
  release()
  await connections[0]?.next()
  await connections[1]?.next()
  expect(server.pendingRequests).toBe(0)
})
