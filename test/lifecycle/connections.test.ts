import { describe, expect, test } from 'bun:test'
import { systemClock } from '../../src/lifecycle/clock.ts'
import { countOpenConnections } from '../../src/lifecycle/connections.ts'
import { disableDeferAccept, drainAcceptQueue, dropSynByTtl } from '../../src/lifecycle/listener.ts'
import { get, HttpConnection } from '../support/http-connection.ts'
import { hasIpv6 } from '../support/ipv6.ts'
import { until } from '../support/until.ts'

function listen(hostname = '127.0.0.1') {
  const server = Bun.serve({ port: 0, hostname, fetch: () => new Response('x') })
  return { server, port: server.port!, [Symbol.asyncDispose]: () => server.stop(true) }
}

/** Blocks the event loop, so that the server accepts no connection. */
function block(ms: number): void {
  Bun.sleepSync(ms)
}

async function answered(port: number, hostname?: string): Promise<HttpConnection> {
  const connection = await HttpConnection.open(port, hostname === undefined ? {} : { hostname })
  connection.send(get('/'))
  await connection.next()
  return connection
}

async function countBecomes(port: number, count: number): Promise<void> {
  await until(() => countOpenConnections(port) === count)
}

const loopbacks = hasIpv6 ? ['127.0.0.1', '::1'] : ['127.0.0.1']

describe.each(loopbacks)('connections on %s are counted:', (hostname) => {
  test('zero, several, and zero again', async () => {
    await using listening = listen(hostname)
    const { port } = listening
    expect(countOpenConnections(port)).toBe(0)
    const connections = await Promise.all(Array.from({ length: 7 }, () => answered(port, hostname)))
    expect(countOpenConnections(port)).toBe(7)
    for (const connection of connections.splice(0, 3)) connection.close()
    await countBecomes(port, 4)
    for (const connection of connections) connection.close()
    await countBecomes(port, 0)
  })
})

test('counts an IPv4 client of a server on ::', async () => {
  await using listening = listen('::')
  using connection = await answered(listening.port)
  expect(connection.ended).toBe('no')
  expect(countOpenConnections(listening.port)).toBe(1)
})

test("does not count another server's connections", async () => {
  await using one = listen()
  await using other = listen()
  using connection = await answered(other.port)
  expect(connection.ended).toBe('no')
  expect(countOpenConnections(one.port)).toBe(0)
  expect(countOpenConnections(other.port)).toBe(1)
})

test('counts connections in the accept queue, whose clients expect a response', async () => {
  await using listening = listen()
  const client = Bun.spawn(
    [
      process.execPath,
      '-e',
      `const s = await Bun.connect({ hostname: '127.0.0.1', port: ${listening.port}, socket: { data() { s.end(); process.exit() } } })
       s.write('GET / HTTP/1.1\\r\\nHost: tally.example\\r\\n\\r\\n')
       process.stdout.write('sent')`,
    ],
    { stdout: Bun.file('/dev/null') },
  )
  // The server accepts nothing while this loop runs.
  let seen = 0
  for (let i = 0; i < 1_000 && seen === 0; i++) {
    block(5)
    seen = countOpenConnections(listening.port) ?? 0
  }
  expect(seen).toBe(1)
  expect(await client.exited).toBe(0)
})

test('does not count connections of another process on the same port', async () => {
  const program = `
    Bun.serve({ port: Number(process.argv[1]), hostname: '127.0.0.1', reusePort: true, fetch: () => new Response('other') })
    process.stdout.write('listening')`
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    reusePort: true,
    fetch: () => new Response('this'),
  })
  const port = server.port!
  const child = Bun.spawn([process.execPath, '-e', program, String(port)], { stdout: 'pipe' })
  await child.stdout.getReader().read()

  const bodies: (string | undefined)[] = []
  const connections: HttpConnection[] = []
  // The kernel spreads them by a hash: the chance that all 40 go to one side is 2 in 2^40.
  for (let i = 0; i < 40; i++) {
    const connection = await HttpConnection.open(port)
    connections.push(connection)
    connection.send(get('/'))
    bodies.push((await connection.next())?.body)
  }
  const own = bodies.filter((body) => body === 'this').length
  expect(countOpenConnections(port)).toBe(own)
  expect(own).toBeGreaterThan(0)
  expect(own).toBeLessThan(40)

  for (const connection of connections) connection.close()
  child.kill()
  await child.exited
  await server.stop(true)
})

test('counts a silent connection once deferred accept is disabled', async () => {
  await using listening = listen()
  disableDeferAccept(listening.port)
  using connection = await HttpConnection.open(listening.port)
  expect(connection.ended).toBe('no')
  await countBecomes(listening.port, 1)
})

const ways = [
  ['by a filter, where the kernel accepts it, else by the time to live', undefined],
  ['by the time to live', [dropSynByTtl]],
] as const

test.each(ways)(
  'after draining the accept queue %s, a new connection waits until the server stops and refuses it',
  async (_, way) => {
    const { server, port } = listen()
    using existing = await answered(port)
    expect(await drainAcceptQueue(port, systemClock, way)).toBe(true)
    // Neither accepted nor refused: the kernel drops its SYN, and TCP retransmits it after a second.
    const refused = HttpConnection.open(port).then(
      () => 'connected',
      () => 'refused',
    )
    existing.send(get('/'))
    expect((await existing.next())?.body).toBe('x')
    expect(countOpenConnections(port)).toBe(1)
    await server.stop()
    expect(await refused).toBe('refused')
  },
)

test('a connection whose handshake ends while the accept queue is drained is served', async () => {
  await using listening = listen()
  // Bun defers it: the kernel ends the handshake with the first data.
  using connection = await HttpConnection.open(listening.port)
  const drained = drainAcceptQueue(listening.port, systemClock, [dropSynByTtl])
  connection.send(get('/'))
  expect((await connection.next())?.body).toBe('x')
  expect(await drained).toBe(true)
  connection.send(get('/'))
  expect((await connection.next())?.body).toBe('x')
})

test('a client that sends late after it has connected is served', async () => {
  const { server, port } = listen()
  disableDeferAccept(port)
  using connection = await HttpConnection.open(port)
  await countBecomes(port, 1)
  let turns = 0
  const sendsLate = {
    ...systemClock,
    sleep(ms: number) {
      if (++turns === 10) connection.send(get('/'))
      return systemClock.sleep(ms)
    },
  }
  expect(await drainAcceptQueue(port, sendsLate)).toBe(true)
  await server.stop()
  expect((await connection.next())?.body).toBe('x')
})
