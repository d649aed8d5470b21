import { describe, expect, test } from 'bun:test'
import { createApp } from '../../../src/http/app.ts'
import type { Gate } from '../../../src/http/middleware/check.ts'
import { appOptions } from '../../support/app-options.ts'
import { expectProblem } from '../../support/problems.ts'
import { examplePayload, post, request } from '../../support/requests.ts'

const page = 'https://app.example'
const other = 'https://other.example'
const closed: Gate = () => ({ code: 'unauthorized', detail: 'Nobody may.' })

function serviceFor(corsOrigins: readonly string[] | '*' | undefined, gates: Gate[] = []) {
  const app = createApp(appOptions({ corsOrigins, gates: { application: gates } }))
  const read = async (asked: Request) => {
    const response = await app.fetch(asked)
    const { headers } = response
    return {
      response,
      status: response.status,
      origin: headers.get('access-control-allow-origin'),
      vary: headers.get('vary'),
      headers,
    }
  }
  return {
    read,
    analyze: (headers: Record<string, string>) => read(post('/payload', examplePayload, headers)),
    preflight: (path: string, origin = page, method = 'POST') =>
      read(
        request(path, {
          method: 'OPTIONS',
          headers: {
            origin,
            'access-control-request-method': method,
            'access-control-request-headers': 'x-api-key',
          },
        }),
      ),
  }
}

describe('a page of another site', () => {
  test('may read nothing where nobody said so, and a preflight is not answered', async () => {
    const { analyze, preflight } = serviceFor(undefined)
    expect(await analyze({ origin: page })).toMatchObject({ status: 200, origin: null, vary: null })
    const { status, response } = await preflight('/payload')
    expect({ status, allow: response.headers.get('allow') }).toEqual({ status: 405, allow: 'POST' })
  })

  test('may read answers when its origin is named, and no other may; caches are told', async () => {
    const { analyze } = serviceFor([page, 'http://localhost:5173'])
    expect(await analyze({ origin: page })).toMatchObject({ status: 200, origin: page, vary: 'Origin' })
    for (const origin of [
      other,
      'https://app.example.evil',
      'http://app.example',
      'null',
      page.toUpperCase(),
    ])
      expect(await analyze({ origin })).toMatchObject({ status: 200, origin: null, vary: 'Origin' })
    expect(await analyze({})).toMatchObject({ status: 200, origin: null, vary: 'Origin' })
  })

  test('may read answers whoever it is when everybody may', async () => {
    const { analyze } = serviceFor('*')
    expect(await analyze({ origin: other })).toMatchObject({ status: 200, origin: '*', vary: null })
  })

  test('may read why it was refused, and the headers that say more', async () => {
    const { origin, headers, response } = await serviceFor([page], [closed]).analyze({ origin: page })
    expect(origin).toBe(page)
    for (const name of [
      'ETag',
      'Link',
      'Location',
      'RateLimit',
      'Retry-After',
      'X-Request-ID',
      'WWW-Authenticate',
    ])
      expect(headers.get('access-control-expose-headers')?.split(', ')).toContain(name)
    await expectProblem(response, 401, 'unauthorized')
  })

  test('is never let send the credentials of its browser', async () => {
    for (const origins of ['*', [page]] as const) {
      const { analyze, preflight } = serviceFor(origins)
      for (const { headers } of [await analyze({ origin: page }), await preflight('/payload')])
        expect(headers.has('access-control-allow-credentials')).toBe(false)
    }
  })

  test('may ask before it asks: methods of the path, headers of the service, without a key, for two hours', async () => {
    const { preflight } = serviceFor([page], [closed])
    for (const [path, methods] of [
      ['/payload', 'POST'],
      ['/v1/payload', 'POST'],
      ['/data', 'POST, GET, HEAD'],
      ['/data/1', 'GET, HEAD, PUT, DELETE'],
    ] as const) {
      const { status, origin, headers, response } = await preflight(path)
      expect({ path, status, origin, body: await response.text() }).toEqual({
        path,
        status: 204,
        origin: page,
        body: '',
      })
      expect(headers.get('access-control-allow-methods')).toBe(methods)
      expect(headers.get('access-control-max-age')).toBe('7200')
      for (const name of ['Authorization', 'Content-Type', 'X-API-Key', 'Idempotency-Key', 'If-Match'])
        expect(headers.get('access-control-allow-headers')?.split(', ')).toContain(name)
      expect(headers.get('x-request-id')).not.toBeNull()
    }
  })

  test('that is not named learns nothing by asking', async () => {
    const { status, origin, headers, vary } = await serviceFor([page]).preflight('/payload', other)
    expect({ status, origin, vary }).toEqual({ status: 204, origin: null, vary: 'Origin' })
    expect(headers.has('access-control-allow-methods')).toBe(false)
  })

  test('has no business with what the platform asks, or with no path at all', async () => {
    const { preflight, read } = serviceFor('*')
    for (const path of ['/metrics', '/health']) expect((await preflight(path)).status).toBe(405)
    expect((await preflight('/nowhere')).status).toBe(404)
    expect((await read(request('/metrics', { headers: { origin: page } }))).origin).toBeNull()
  })
})
