import { afterEach, expect, test } from 'bun:test'
import { connect } from '../../bench/client.ts'

const request = Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')

let server: Bun.Server<undefined> | undefined
afterEach(() => server?.stop(true))

test('connections take turns when there are more of them than requests in flight', async () => {
  const served = new Map<number, number>()
  let inFlight = 0
  let inFlightMax = 0
  server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request, server) {
      const { port = 0 } = server.requestIP(request) ?? {}
      served.set(port, (served.get(port) ?? 0) + 1)
      inFlightMax = Math.max(inFlightMax, ++inFlight)
      await Promise.resolve()
      inFlight--
      return new Response('ok')
    },
  })
  const client = await connect(server.port!, request, 20, 3)
  const { latenciesMs } = await client.run(500, () => {})
  client.close()

  expect(served.size).toBe(20)
  expect(inFlightMax).toBeLessThanOrEqual(3)
  const counts = [...served.values()]
  expect(counts.reduce((sum, n) => sum + n, 0)).toBe(latenciesMs.length)
  // The ring serves every connection once before it serves any of them again.
  expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(3)
})

test('run rejects with the number of waiting requests when responses do not arrive', async () => {
  server = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Promise<Response>(() => {}) })
  const client = await connect(server.port!, request, 2)
  expect(client.run(0, () => {}, 50)).rejects.toThrow('no response to 2 requests within 50 ms')
  client.close()
})

test('run rejects with the error of the check', async () => {
  server = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Response('no', { status: 500 }) })
  const client = await connect(server.port!, request, 1)
  const run = client.run(1_000, ({ status }) => {
    throw new Error(`answered ${status}`)
  })
  expect(run).rejects.toThrow('answered 500')
  client.close()
})
