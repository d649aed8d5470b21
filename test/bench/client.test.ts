import { afterEach, expect, test } from 'bun:test'
import { connect } from '../../bench/client.ts'

const request = Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')

let server: Bun.Server<undefined> | undefined
afterEach(() => server?.stop(true))

test('with more connections than requests under way all of them take turns', async () => {
  const served = new Map<number, number>()
  let underWay = 0
  let underWayMax = 0
  server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request, server) {
      const { port = 0 } = server.requestIP(request) ?? {}
      served.set(port, (served.get(port) ?? 0) + 1)
      underWayMax = Math.max(underWayMax, ++underWay)
      await Promise.resolve()
      underWay--
      return new Response('ok')
    },
  })
  const client = await connect(server.port!, request, 20, 3)
  const { latenciesMs } = await client.run(500, () => {})
  client.close()

  expect(served.size).toBe(20)
  expect(underWayMax).toBeLessThanOrEqual(3)
  const counts = [...served.values()]
  expect(counts.reduce((sum, n) => sum + n, 0)).toBe(latenciesMs.length)
  // Nobody is passed over: the ring serves each before any is served again.
  expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(3)
})

test('an answer that does not come is told with the number of requests that wait', async () => {
  server = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Promise<Response>(() => {}) })
  const client = await connect(server.port!, request, 2)
  expect(client.run(0, () => {}, 50)).rejects.toThrow('2 requests without an answer after 50 ms')
  client.close()
})

test('what the check throws ends the run', async () => {
  server = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Response('no', { status: 500 }) })
  const client = await connect(server.port!, request, 1)
  const run = client.run(1_000, ({ status }) => {
    throw new Error(`answered ${status}`)
  })
  expect(run).rejects.toThrow('answered 500')
  client.close()
})
