import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import { type AbortReason, type ArrivingRequest, BodyArrivals } from '../../../src/http/body/body-arrivals.ts'
import { examplePayload } from '../../support/example-payload.ts'
import { HttpConnection, jsonHead, postJson } from '../../support/http-connection.ts'
import { type Listening, listen } from '../../support/listening.ts'
import { until } from '../../support/until.ts'

setDefaultTimeout(60_000)

/** Bodies with their ages, in ms, oldest first, and which of them were ended. */
function arriving(maxCount: number, ...bodies: readonly Partial<Arriving>[]) {
  const ended: [name: string, reason: AbortReason][] = []
  const requests = bodies.map(({ name = '', ageMs = 0, receivedBytes, announcedBytes = 100 }) => {
    const request = {
      startedAt: -ageMs,
      isReceiving: true,
      receivedBytes,
      announcedBytes,
      abort(reason: AbortReason) {
        ended.push([name, reason])
        request.isReceiving = false
        arrivals.count--
      },
    }
    return request satisfies ArrivingRequest
  })
  const arrivals = new BodyArrivals(requests, maxCount)
  arrivals.count = requests.length
  return { arrivals, ended }
}
interface Arriving {
  readonly name: string
  readonly ageMs: number
  readonly receivedBytes: number
  readonly announcedBytes: number
}

describe('bodies that arrive', () => {
  test('have ten seconds, and a second more for each 16 KiB', () => {
    const { arrivals, ended } = arriving(
      10,
      { name: 'large and idle', ageMs: 10_001, receivedBytes: 0, announcedBytes: 2 ** 25 },
      { name: 'small and late', ageMs: 10_100 },
      { name: 'as fast as it must be', ageMs: 11_900, receivedBytes: 32 * 1024 },
      { name: 'large enough for its time', ageMs: 11_900, announcedBytes: 32 * 1024 },
      { name: 'in time', ageMs: 9_900 },
    )
    arrivals.enforce(0)
    expect(ended).toEqual([
      ['large and idle', 'body-timeout'],
      ['small and late', 'body-timeout'],
    ])
  })

  test('above their number end: the slow ones', () => {
    const { arrivals, ended } = arriving(
      2,
      { name: 'slow', ageMs: 2_000 },
      { name: 'fast', ageMs: 2_000, receivedBytes: 64 * 1024 },
      { name: 'young', ageMs: 900 },
    )
    arrivals.enforce(0)
    expect(ended).toEqual([['slow', 'body-shed']])
  })

  test('above the bound are aborted: without slow ones the newest, except those that have just arrived', () => {
    const { arrivals, ended } = arriving(
      1,
      { name: 'first', ageMs: 900 },
      { name: 'second', ageMs: 800 },
      { name: 'third', ageMs: 700 },
      { name: 'just now', ageMs: 1 },
    )
    arrivals.enforce(0)
    expect(ended).toEqual([
      ['third', 'body-shed'],
      ['second', 'body-shed'],
      ['first', 'body-shed'],
    ])
  })

  test('within their number and time are left alone', () => {
    const { arrivals, ended } = arriving(2, { ageMs: 9_000 }, { ageMs: 5_000 })
    arrivals.enforce(0)
    expect(ended).toEqual([])
  })
})

const payload = JSON.stringify(examplePayload)

/** Sends heads of requests, each with one byte of its body. */
async function sendHeads(server: Listening, count: number, path: string, length: number) {
  const connections: HttpConnection[] = []
  for (let i = 0; i < count; i++) {
    const connection = await HttpConnection.open(server.port)
    connection.send(`${jsonHead(path, '').replace('Length: 0', `Length: ${length}`)}{`)
    connections.push(connection)
  }
  await until(() => server.app.requests.arrivals.count > 0)
  return connections
}

describe('clients that do not send their bodies', () => {
  test.each([
    ['/payload', 100],
    ['/data', 100],
    ['/tasks', 100],
    ['/payload', 2 ** 20],
    ['/data', 2 ** 20],
    ['/tasks', 2 ** 20],
  ])('do not keep other clients from being served: %s, %d bytes', async (path, length) => {
    await using server = listen({ overload: { maxInFlight: 5, maxLagMs: 0 } })
    const slow = await sendHeads(server, 12, path, length)
    for (let i = 0; i < 20; i++) {
      using ordinary = await HttpConnection.open(server.port)
      ordinary.send(postJson('/payload', payload))
      expect((await ordinary.next())?.status).toBe(200)
    }
    // Those above the bound get a response and end, and the others when their time is over.
    const { arrivals } = server.app.requests
    await until(() => arrivals.count <= 5)
    arrivals.enforce(performance.now() + 60_000)
    for (const response of await Promise.all(slow.map((connection) => connection.next()))) {
      expect(response?.status).toBeOneOf([503, 408])
      expect(response?.headers.get('connection')).toBe('close')
    }
    expect(arrivals.count).toBe(0)
  })

  test('do not hold memory that large bodies of other clients need', async () => {
    const { limits } = (await import('../../support/app-deps.ts')).appDeps()
    const bytes = 2 ** 20
    await using server = listen({ limits: { ...limits, maxBodyBytes: bytes, maxBufferedBytes: bytes } })
    const slow = await sendHeads(server, 1, '/payload', bytes)
    const body = JSON.stringify({ numbers: Array.from({ length: 100_000 }, (_, i) => i), text: 'a' })
    await until(async () => {
      using ordinary = await HttpConnection.open(server.port)
      ordinary.send(postJson('/payload', body))
      return (await ordinary.next())?.status === 200
    })
    expect((await slow[0]?.next())?.status).toBe(503)
  })

  test('get a response when their time is over', async () => {
    await using server = listen()
    const { arrivals } = server.app.requests
    for (const [path, length] of [
      ['/payload', 100],
      ['/data', 100],
      ['/payload', 2 ** 20],
    ] as const) {
      const [slow] = await sendHeads(server, 1, path, length)
      arrivals.enforce(performance.now() + 60_000)
      const response = await slow?.next()
      expect(response?.status).toBe(408)
      expect(JSON.parse(response?.body ?? '').code).toBe('body-timeout')
      expect(response?.headers.get('connection')).toBe('close')
      expect(await slow?.end()).toBeString()
    }
    expect(server.app.requests.size).toBe(0)
    expect(arrivals.count).toBe(0)
  })
})
