import { describe, expect, test } from 'bun:test'
import { createApp } from '../../../src/http/app.ts'
import type { Check } from '../../../src/http/middleware/check.ts'
import { createClientAddress } from '../../../src/http/middleware/client-ip.ts'
import { rateLimit } from '../../../src/http/middleware/rate-limit.ts'
import { createMemoryRateLimiter } from '../../../src/rate-limit/memory.ts'
import type { Rate, RateLimiter } from '../../../src/rate-limit/rate.ts'
import { appDeps } from '../../support/app-deps.ts'
import { examplePayload } from '../../support/example-payload.ts'
import { expectProblem } from '../../support/problems.ts'

const rate: Rate = { quota: 2, windowMs: 10_000 }

/** A service with this rate. Clients name their address and their key in headers of this test. */
function serviceWith(limiter: RateLimiter = createMemoryRateLimiter(rate, 100, () => 0)) {
  const identify: Check = (request, context) => {
    context.client = request.headers.get('x-test-client') ?? undefined
    return undefined
  }
  const limit = rateLimit({
    rate,
    limiter,
    clientAddress: (request) => request.headers.get('x-test-address') ?? undefined,
  })
  const app = createApp(appDeps({ applicationChecks: [identify, limit] }))
  const analyze = async (headers: Record<string, string> = {}): Promise<Response> =>
    await app.request('/payload', {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(examplePayload),
    })
  return {
    app,
    analyze,
    statuses: async (...requests: Record<string, string>[]): Promise<number[]> => {
      const statuses: number[] = []
      for (const headers of requests) statuses.push((await analyze(headers)).status)
      return statuses
    },
  }
}

describe('a rate limit', () => {
  test('is described by every response, and above it requests get 429 with Retry-After', async () => {
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

  test('counts each key and token separately, whatever the address', async () => {
    const one = { 'x-test-client': 'key:one', 'x-test-address': '192.0.2.1' }
    const two = { 'x-test-client': 'key:two', 'x-test-address': '192.0.2.1' }
    const moved = { ...one, 'x-test-address': '192.0.2.2' }
    expect(await serviceWith().statuses(one, one, moved, two)).toEqual([200, 200, 429, 200])
  })

  test('counts each address without credentials separately, and a /64 as one address', async () => {
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

  test('does not affect probes, metrics and pages', async () => {
    const { app, statuses } = serviceWith()
    await statuses({}, {}, {})
    for (const path of ['/health', '/ready', '/metrics', '/version', '/docs'])
      for (let i = 0; i < 5; i++) expect((await app.request(path)).status).toBe(200)
  })

  test('fails open: without a verdict every request passes, without headers', async () => {
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

  test('is the address of the connection without trusted proxies, whatever the client sends', () => {
    const findAddress = createClientAddress([], 'x-forwarded-for')
    expect(findAddress(headers('x-forwarded-for', '198.51.100.1'), '192.0.2.1')).toBe('192.0.2.1')
    expect(findAddress(new Headers(), '::ffff:192.0.2.1')).toBe('192.0.2.1')
    expect(findAddress(new Headers(), undefined)).toBeUndefined()
  })

  for (const [list, expected] of [
    ['198.51.100.1', '198.51.100.1'],
    // A forged address stands to the left of the one that the proxy saw.
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
    test(`behind trusted proxies with X-Forwarded-For: ${list} is ${expected}`, () => {
      const findAddress = createClientAddress(['10.0.0.0/8'], 'x-forwarded-for')
      expect(findAddress(headers('x-forwarded-for', list), '10.9.9.9')).toBe(expected)
    })

  for (const [list, expected] of [
    ['for=198.51.100.1', '198.51.100.1'],
    ['for=127.0.0.1, For="198.51.100.1:4711";proto=https;by=10.0.0.1', '198.51.100.1'],
    ['proto=https;for="[2001:db8::1]:4711"', '2001:db8::1'],
    ['for=198.51.100.1, for=10.0.0.1', '198.51.100.1'],
    ['for=198.51.100.1, for=_hidden', '10.9.9.9'],
    ['for=198.51.100.1, proto=https', '10.9.9.9'],
  ] as const)
    test(`behind trusted proxies with Forwarded: ${list} is ${expected}`, () => {
      const findAddress = createClientAddress(['10.0.0.0/8'], 'forwarded')
      expect(findAddress(headers('forwarded', list), '10.9.9.9')).toBe(expected)
    })

  test('is not taken from the other header, which the proxies pass on unchanged', () => {
    const findAddress = createClientAddress(['10.0.0.0/8'], 'x-forwarded-for')
    expect(findAddress(headers('forwarded', 'for=198.51.100.1'), '10.9.9.9')).toBe('10.9.9.9')
  })

  test('is not taken from a peer that is not trusted', () => {
    const findAddress = createClientAddress(['10.0.0.0/8', 'fd00::/8', '192.0.2.7'], 'x-forwarded-for')
    const forwarded = headers('x-forwarded-for', '198.51.100.1')
    expect(findAddress(forwarded, '192.0.2.1')).toBe('192.0.2.1')
    expect(findAddress(forwarded, '2001:db8::1')).toBe('2001:db8::1')
    for (const proxy of ['10.255.0.1', '::ffff:10.0.0.1', 'fd12::1', '192.0.2.7'])
      expect(findAddress(forwarded, proxy)).toBe('198.51.100.1')
  })
})
