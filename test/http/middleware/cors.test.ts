import { describe, expect, test } from 'bun:test'
import { type AppDeps, createApp } from '../../../src/http/app.ts'
import type { Check } from '../../../src/http/middleware/check.ts'
import { appDeps } from '../../support/app-deps.ts'
import { examplePayload } from '../../support/example-payload.ts'
import { expectProblem } from '../../support/problems.ts'

const page = 'https://app.example'
const other = 'https://other.example'
/** What the service understands, and what libraries for requests and tracing add. */
const requestHeaders = [
  ...['authorization', 'content-type', 'x-api-key', 'idempotency-key', 'if-match', 'if-none-match'],
  ...['baggage', 'sentry-trace', 'traceparent', 'tracestate', 'x-requested-with', 'last-event-id'],
]
const refuse: Check = () => ({ code: 'unauthorized', detail: 'Refused.' })

function serviceFor(
  origins: readonly string[] | '*' | undefined,
  applicationChecks: Check[] = [],
  changes: Partial<AppDeps> = {},
) {
  const app = createApp(
    appDeps({ cors: origins === undefined ? undefined : { origins }, applicationChecks, ...changes }),
  )
  const send = async (path: string, init: RequestInit) => {
    const response = await app.request(path, init)
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
    send,
    analyze: (headers: Record<string, string>) =>
      send('/payload', {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify(examplePayload),
      }),
    preflight: (path: string, origin = page, method = 'POST') =>
      send(path, {
        method: 'OPTIONS',
        headers: {
          origin,
          'access-control-request-method': method,
          'access-control-request-headers': 'x-api-key',
        },
      }),
  }
}

describe('a page of another site', () => {
  test('may read nothing by default, and a preflight is a 405', async () => {
    const { analyze, preflight } = serviceFor(undefined)
    expect(await analyze({ origin: page })).toMatchObject({ status: 200, origin: null, vary: null })
    const { status, response } = await preflight('/payload')
    expect({ status, allow: response.headers.get('allow') }).toEqual({ status: 405, allow: 'POST' })
  })

  test('may read responses only if its origin is configured, and Vary names Origin', async () => {
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

  test('may read responses from any origin when all are allowed', async () => {
    const { analyze } = serviceFor('*')
    expect(await analyze({ origin: other })).toMatchObject({ status: 200, origin: '*', vary: null })
  })

  test('may read a problem and the headers that explain it', async () => {
    const { origin, headers, response } = await serviceFor([page], [refuse]).analyze({ origin: page })
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
      expect(headers.get('access-control-expose-headers')?.split(',')).toContain(name)
    await expectProblem(response, 401, 'unauthorized')
  })

  test('may never send the credentials of its browser', async () => {
    for (const origins of ['*', [page]] as const) {
      const { analyze, preflight } = serviceFor(origins)
      for (const { headers } of [await analyze({ origin: page }), await preflight('/payload')])
        expect(headers.has('access-control-allow-credentials')).toBe(false)
    }
  })

  test('gets a preflight response without credentials: the methods of the path, the headers, for two hours', async () => {
    const { preflight } = serviceFor([page], [refuse])
    for (const [path, methods] of [
      ['/payload', 'POST'],
      ['/v1/payload', 'POST'],
      ['/data', 'GET,HEAD,POST'],
      ['/data/1', 'GET,HEAD,PUT,DELETE'],
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
      const allowed = headers.get('access-control-allow-headers')?.toLowerCase().split(',')
      for (const name of requestHeaders) expect(allowed).toContain(name)
      expect(headers.get('x-request-id')).not.toBeNull()
    }
  })

  test('learns nothing from a preflight if its origin is not configured', async () => {
    const { status, origin, headers, vary } = await serviceFor([page]).preflight('/payload', other)
    expect({ status, origin }).toEqual({ status: 204, origin: null })
    expect(vary).toContain('Origin')
    expect(headers.has('access-control-allow-methods')).toBe(false)
  })

  test('may send the request headers that are configured as well', async () => {
    const { preflight } = serviceFor([page], [], {
      cors: { origins: [page], headers: ['X-Tenant', 'X-App'] },
    })
    const { headers } = await preflight('/payload')
    const allowed = headers.get('access-control-allow-headers')?.split(',')
    for (const name of ['X-Tenant', 'X-App', 'Authorization']) expect(allowed).toContain(name)
  })

  test('may read a 404, which a preflight does not prevent, and a 405', async () => {
    const { preflight, send } = serviceFor([page])
    const asked = await preflight('/nowhere', page, 'DELETE')
    expect({ status: asked.status, origin: asked.origin }).toEqual({ status: 204, origin: page })
    expect(asked.headers.get('access-control-allow-methods')).toBe('GET,POST,PUT,DELETE')
    const missing = await send('/nowhere', { method: 'DELETE', headers: { origin: page } })
    expect(missing).toMatchObject({ status: 404, origin: page, vary: 'Origin' })
    expect(missing.headers.get('access-control-expose-headers')).toContain('X-Request-ID')
    await expectProblem(missing.response, 404, 'not-found')
    const wrong = await send('/payload', { headers: { origin: page } })
    expect(wrong).toMatchObject({ status: 405, origin: page, vary: 'Origin' })
    expect(wrong.headers.get('allow')).toBe('POST')
    await expectProblem(wrong.response, 405, 'method-not-allowed')
    expect(await send('/nowhere', { headers: { origin: other } })).toMatchObject({
      status: 404,
      origin: null,
    })
  })

  test('may read the 503 of a deadline, and a 500', async () => {
    const slow = serviceFor([page], [() => Bun.sleep(200).then(() => undefined)], { requestTimeoutMs: 20 })
    expect(await slow.analyze({ origin: page })).toMatchObject({ status: 503, origin: page })
    const broken = serviceFor([page], [() => Promise.reject(new Error('broken'))])
    expect(await broken.analyze({ origin: page })).toMatchObject({ status: 500, origin: page })
  })

  test('has a limit for its preflights', async () => {
    const refused: Check = () => ({ code: 'rate-limited', detail: 'Too many.' })
    const { preflight, analyze } = serviceFor([page], [], { pageChecks: [refused] })
    for (const path of ['/payload', '/data/1', '/openapi.json'])
      expect((await preflight(path)).status).toBe(429)
    expect((await analyze({ origin: page })).status).toBe(200)
  })

  test('gets no preflight response for probes and metrics', async () => {
    const { preflight, send } = serviceFor('*')
    for (const path of ['/metrics', '/health']) {
      const { status, origin } = await preflight(path)
      expect({ status, origin }).toEqual({ status: 405, origin: null })
    }
    expect((await send('/metrics', { headers: { origin: page } })).origin).toBeNull()
  })
})
