import { describe, expect, test } from 'bun:test'
import { createApp } from '../../../src/http/app.ts'
import type { Gate } from '../../../src/http/middleware/check.ts'
import { createClientAddress } from '../../../src/http/middleware/client-ip.ts'
import { rateLimit } from '../../../src/http/middleware/rate-limit.ts'
import { createMemoryRateLimiter } from '../../../src/rate-limit/memory.ts'
import type { Rate, RateLimiter } from '../../../src/rate-limit/rate.ts'
import { appOptions } from '../../support/app-options.ts'
import { expectProblem } from '../../support/problems.ts'
import { examplePayload, post, request } from '../../support/requests.ts'

const rate: Rate = { quota: 2, windowMs: 10_000 }

/** A service with that rate. A client says its address, and the name of its key, in headers of the test's own. */
function serviceWith(limiter: RateLimiter = createMemoryRateLimiter(rate, 100, () => 0)) {
  const known: Gate = (request, exchange) => {
    exchange.client = request.headers.get('x-test-client') ?? undefined
    return undefined
  }
  const limit = rateLimit(rate, limiter, (request) => request.headers.get('x-test-address') ?? undefined)
  const app = createApp(appOptions({ gates: { application: [known, limit] } }))
  return {
    app,
    analyze: async (headers: Record<string, string> = {}): Promise<Response> =>
      await app.fetch(post('/payload', examplePayload, headers)),
    statuses: async (...asked: Record<string, string>[]): Promise<number[]> => {
      const statuses: number[] = []
      for (const headers of asked)
        statuses.push((await app.fetch(post('/payload', examplePayload, headers))).status)
      return statuses
    },
  }
}

describe('a rate', () => {
  test('is told with every answer, and above it there is 429 with the time to wait', async () => {
    const { analyze } = serviceWith()
    for (const left of [1, 0]) {
      const response = await analyze()
      expect(response.status).toBe(200)
      expect(response.headers.get('ratelimit-policy')).toBe('"default";q=2;w=10')
      expect(response.headers.get('ratelimit')).toBe(`"default";r=${left};t=${left === 1 ? 5 : 10}`)
      expect(response.headers.get('retry-after')).toBeNull()
    }
    const refused = await analyze()
    expect(refused.headers.get('ratelimit')).toBe('"default";r=0;t=10')
    expect(refused.headers.get('retry-after')).toBe('5')
    await expectProblem(refused, 429, 'rate-limited')
  })

  test('is of every key and token alone, whatever the address', async () => {
    const one = { 'x-test-client': 'key:one', 'x-test-address': '192.0.2.1' }
    const two = { 'x-test-client': 'key:two', 'x-test-address': '192.0.2.1' }
    const moved = { ...one, 'x-test-address': '192.0.2.2' }
    expect(await serviceWith().statuses(one, one, moved, two)).toEqual([200, 200, 429, 200])
  })

  test('is of every address where nobody is known, and a /64 is one address', async () => {
    const at = (address: string) => ({ 'x-test-address': address })
    const { statuses } = serviceWith()
    expect(await statuses(at('192.0.2.1'), at('192.0.2.1'), at('192.0.2.1'), at('192.0.2.2'))).toEqual([
      200, 200, 429, 200,
    ])
    expect(
      await statuses(
        ...[at('2001:db8::1'), at('2001:db8:0:0:ffff::2'), at('2001:db8:0:0:1:2:3:4'), at('2001:db8:0:1::1')],
      ),
    ).toEqual([200, 200, 429, 200])
  })

  test('does not hold probes, metrics and pages', async () => {
    const { app, statuses } = serviceWith()
    await statuses({}, {}, {})
    for (const path of ['/health', '/ready', '/metrics', '/version', '/docs'])
      for (let i = 0; i < 5; i++) expect((await app.fetch(request(path))).status).toBe(200)
  })

  test('that cannot be known holds nobody, and tells nothing', async () => {
    const { analyze } = serviceWith({ take: async () => undefined, close: () => {} })
    for (let i = 0; i < 5; i++) {
      const response = await analyze()
      expect(response.status).toBe(200)
      expect(response.headers.get('ratelimit')).toBeNull()
    }
  })
})

describe("a client's address", () => {
  const headers = (name: string, value: string) => new Headers({ [name]: value })

  test('is that of the connection, whatever the client says, as long as nobody is trusted', () => {
    const addressOf = createClientAddress([], 'x-forwarded-for')
    expect(addressOf(headers('x-forwarded-for', '198.51.100.1'), '192.0.2.1')).toBe('192.0.2.1')
    expect(addressOf(new Headers(), '::ffff:192.0.2.1')).toBe('192.0.2.1')
    expect(addressOf(new Headers(), undefined)).toBeUndefined()
  })

  for (const [list, expected] of [
    ['198.51.100.1', '198.51.100.1'],
    // What a client invents stands to the left of what the proxy saw.
    ['127.0.0.1, 203.0.113.9, 198.51.100.1', '198.51.100.1'],
    ['10.0.0.1, 198.51.100.1', '198.51.100.1'],
    ['198.51.100.1, 10.0.0.1, 10.0.0.2', '198.51.100.1'],
    ['10.0.0.1, 10.0.0.2', '10.0.0.1'],
    ['198.51.100.1:4711', '198.51.100.1'],
    ['[2001:db8::1]:4711', '2001:db8::1'],
    ['2001:DB8::1', '2001:db8::1'],
    ['::ffff:198.51.100.1', '198.51.100.1'],
    ['198.51.100.1, unknown', '10.9.9.9'],
    ['198.51.100.1, 10.0.0.1, <script>', '10.9.9.9'],
    ['', '10.9.9.9'],
    [',,,', '10.9.9.9'],
  ] as const)
    test(`behind trusted proxies, with X-Forwarded-For: ${list}, is ${expected}`, () => {
      const addressOf = createClientAddress(['10.0.0.0/8'], 'x-forwarded-for')
      expect(addressOf(headers('x-forwarded-for', list), '10.9.9.9')).toBe(expected)
    })

  for (const [list, expected] of [
    ['for=198.51.100.1', '198.51.100.1'],
    ['for=127.0.0.1, For="198.51.100.1:4711";proto=https;by=10.0.0.1', '198.51.100.1'],
    ['proto=https;for="[2001:db8::1]:4711"', '2001:db8::1'],
    ['for=198.51.100.1, for=10.0.0.1', '198.51.100.1'],
    ['for=198.51.100.1, for=_hidden', '10.9.9.9'],
    ['for=198.51.100.1, proto=https', '10.9.9.9'],
  ] as const)
    test(`behind trusted proxies, with Forwarded: ${list}, is ${expected}`, () => {
      const addressOf = createClientAddress(['10.0.0.0/8'], 'forwarded')
      expect(addressOf(headers('forwarded', list), '10.9.9.9')).toBe(expected)
    })

  test('is not what the other header says, which the proxies pass on as it came', () => {
    const addressOf = createClientAddress(['10.0.0.0/8'], 'x-forwarded-for')
    expect(addressOf(headers('forwarded', 'for=198.51.100.1'), '10.9.9.9')).toBe('10.9.9.9')
  })

  test('is not what somebody says who is not trusted', () => {
    const addressOf = createClientAddress(['10.0.0.0/8', 'fd00::/8', '192.0.2.7'], 'x-forwarded-for')
    const said = headers('x-forwarded-for', '198.51.100.1')
    expect(addressOf(said, '192.0.2.1')).toBe('192.0.2.1')
    expect(addressOf(said, '2001:db8::1')).toBe('2001:db8::1')
    for (const proxy of ['10.255.0.1', '::ffff:10.0.0.1', 'fd12::1', '192.0.2.7'])
      expect(addressOf(said, proxy)).toBe('198.51.100.1')
  })
})
