import { describe, expect, test } from 'bun:test'
import { createApp } from '../../../src/http/app.ts'
import type { Check } from '../../../src/http/middleware/check.ts'
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

  test('counts each key and token separately, across addresses', async () => {
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

  test('does not affect probes and metrics', async () => {
    const { app, statuses } = serviceWith()
    await statuses({}, {}, {})
    for (const path of ['/health', '/ready', '/metrics', '/version'])
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
