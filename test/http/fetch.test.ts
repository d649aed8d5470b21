import { describe, expect, test } from 'bun:test'
import { type App, createApp } from '../../src/http/app.ts'
import { createFetch, type FetchOptions } from '../../src/http/fetch.ts'
import { createProblems } from '../../src/http/problem.ts'
import { json } from '../../src/http/request-context.ts'
import { createInFlight } from '../../src/http/requests-in-flight.ts'
import { appOptions } from '../support/app-options.ts'
import { expectProblem } from '../support/problems.ts'
import { examplePayload, post, request } from '../support/requests.ts'
import { until } from '../support/until.ts'

/** The way in around one route, with a short deadline; what it logs, counts and has in flight. */
function wayIn(route: FetchOptions['route'], timeoutMs = 30) {
  const lines: string[] = []
  const { log, metrics } = appOptions({}, lines)
  const inFlight = createInFlight(timeoutMs)
  const fetch = createFetch({
    route,
    problems: createProblems(400),
    inFlight,
    log,
    metrics,
    servedBy: 'instance-1',
    accessLog: true,
  })
  return {
    fetch: async (init: RequestInit = {}, path = '/'): Promise<Response> => await fetch(request(path, init)),
    inFlight,
    answered: async (): Promise<string[]> =>
      (await metrics.registry.metrics())
        .split('\n')
        .filter((line) => line.startsWith('api_http_requests_total')),
    logged: async (): Promise<Record<string, unknown>[]> => {
      await log.flush()
      return lines
        .join('')
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as Record<string, unknown>)
    },
    [Symbol.dispose]: () => inFlight.close(),
  }
}

describe('a handler that fails', () => {
  const secret = new Error('password of postgres://user:hunter2@db', {
    cause: new TypeError('the deeper reason'),
  })
  for (const [name, route] of [
    [
      'throws',
      () => {
        throw secret
      },
    ],
    ['rejects', () => Promise.reject(secret)],
  ] as const) {
    test(`${name}: 500 without a word of the inside, and the log has all of it under the request id`, async () => {
      using way = wayIn(route)
      const response = await way.fetch({ headers: { 'x-request-id': 'find-me' } })
      const problem = await expectProblem(response, 500, 'internal-error')
      expect(problem.request_id).toBe('find-me')
      expect(JSON.stringify(problem)).not.toMatch(/hunter2|deeper|Error|\.ts/)
      const failed = (await way.logged()).find(({ level }) => level === 'error')
      expect(failed).toMatchObject({
        msg: 'request failed',
        request_id: 'find-me',
        error: {
          name: 'Error',
          message: secret.message,
          cause: { name: 'TypeError', message: 'the deeper reason' },
        },
      })
      expect(way.inFlight.describe()).toEqual([])
      expect(await way.answered()).toEqual([
        'api_http_requests_total{method="GET",route="unmatched",status="500"} 1',
      ])
    })
  }

  test('with something that is no error and cannot be written: 500 all the same', async () => {
    const cycle: Record<string, unknown> = {}
    cycle.self = cycle
    for (const thrown of [cycle, undefined, null, 'text', 7n, Object.create(null) as object]) {
      using way = wayIn(() => Promise.reject(thrown))
      await expectProblem(await way.fetch(), 500, 'internal-error')
      expect((await way.logged()).some(({ msg }) => msg === 'request failed')).toBe(true)
    }
  })
})

describe('a handler that answers to one thing that is coming', () => {
  const coming = () => Promise.withResolvers<string>()
  const answerTo =
    (promise: Promise<string>): FetchOptions['route'] =>
    (_, exchange) =>
      exchange.answerTo(
        promise,
        (text) => {
          if (text === 'bad') throw new Error('cannot answer that')
          return json(exchange, { text })
        },
        () => json(exchange, { text: 'did not come' }, 400),
      )
  const gated =
    (route: FetchOptions['route']): FetchOptions['route'] =>
    async (request, exchange) => {
      await Bun.sleep(0)
      return route(request, exchange)
    }

  for (const [name, around] of [
    ['at once', (route: FetchOptions['route']) => route],
    ['behind a gate that is waited for', gated],
  ] as const) {
    test(`${name}: is answered when it has come, counted and logged once`, async () => {
      const { promise, resolve } = coming()
      using way = wayIn(around(answerTo(promise)))
      const answer = way.fetch()
      expect(way.inFlight.describe()).toHaveLength(1)
      resolve('here')
      expect((await answer).headers.get('x-request-id')).toBeTruthy()
      expect(await (await answer).json()).toEqual({ text: 'here' })
      expect(way.inFlight.describe()).toEqual([])
      expect(await way.answered()).toEqual([
        'api_http_requests_total{method="GET",route="unmatched",status="200"} 1',
      ])
      expect(await way.logged()).toHaveLength(1)
    })

    test(`${name}: has an answer for what does not come`, async () => {
      const { promise, reject } = coming()
      using way = wayIn(around(answerTo(promise)))
      const answer = way.fetch()
      // Behind the gate nobody listens yet.
      promise.catch(() => {})
      reject(new Error('cut'))
      expect((await answer).status).toBe(400)
      expect(await way.answered()).toHaveLength(1)
    })

    test(`${name}: fails as any handler when the answer cannot be made`, async () => {
      using way = wayIn(around(answerTo(Promise.resolve('bad'))))
      await expectProblem(await way.fetch(), 500, 'internal-error')
      expect((await way.logged()).map(({ msg }) => msg)).toEqual(['request failed', 'request'])
    })

    test(`${name}: is answered for when its time is over, and what comes later is dropped`, async () => {
      const { promise, resolve } = coming()
      using way = wayIn(around(answerTo(promise)))
      await expectProblem(await way.fetch(), 503, 'request-timeout')
      resolve('too late')
      await Bun.sleep(0)
      expect(way.inFlight.describe()).toEqual([])
      expect(await way.answered()).toEqual([
        'api_http_requests_total{method="GET",route="unmatched",status="503"} 1',
      ])
    })
  }
})

describe('a handler that takes too long', () => {
  test('is answered for: 503 with Retry-After, counted and logged once', async () => {
    const gate = Promise.withResolvers<Response>()
    using way = wayIn(() => gate.promise)
    const answer = way.fetch()
    expect(way.inFlight.describe()).toHaveLength(1)
    const response = await answer
    await expectProblem(response, 503, 'request-timeout')
    expect(response.headers.get('retry-after')).toBe('1')
    expect(way.inFlight.describe()).toEqual([])
    expect((await way.logged()).map(({ msg, status }) => ({ msg, status }))).toEqual([
      { msg: 'request', status: 503 },
    ])
  })

  test('has its late answer dropped: not counted, not logged, its body cancelled', async () => {
    const gate = Promise.withResolvers<Response>()
    using way = wayIn(() => gate.promise)
    await expectProblem(await way.fetch(), 503, 'request-timeout')
    const cancelled = Promise.withResolvers<void>()
    gate.resolve(new Response(new ReadableStream({ cancel: () => cancelled.resolve() })))
    await cancelled.promise
    expect(await way.answered()).toEqual([
      'api_http_requests_total{method="GET",route="unmatched",status="503"} 1',
    ])
    expect(await way.logged()).toHaveLength(1)
    expect(way.inFlight.describe()).toEqual([])
  })

  test('has a late answer dropped that somebody reads already', async () => {
    const gate = Promise.withResolvers<Response>()
    using way = wayIn(() => gate.promise)
    await expectProblem(await way.fetch(), 503, 'request-timeout')
    const late = new Response('late')
    late.body?.getReader()
    gate.resolve(late)
    await Bun.sleep(0)
    expect(await way.answered()).toHaveLength(1)
  })

  test('has its late failure logged and not answered', async () => {
    const gate = Promise.withResolvers<Response>()
    using way = wayIn(() => gate.promise)
    await expectProblem(await way.fetch(), 503, 'request-timeout')
    gate.reject(new Error('too late'))
    await until(async () => (await way.logged()).some(({ level }) => level === 'error'))
    expect(await way.answered()).toHaveLength(1)
  })

  test('does not keep the others waiting, and each has its own time', async () => {
    const never = new Promise<Response>(() => {})
    using way = wayIn(
      (incoming, exchange) => (incoming.url.endsWith('/slow') ? never : json(exchange, {})),
      100,
    )
    const slow = [way.fetch({}, '/slow'), way.fetch({}, '/slow')]
    expect((await way.fetch({}, '/quick')).status).toBe(200)
    expect(way.inFlight.describe()).toHaveLength(2)
    expect((await Promise.all(slow)).map(({ status }) => status)).toEqual([503, 503])
    expect(way.inFlight.describe()).toEqual([])
  })

  test('is seen through the whole service, and its name is known meanwhile', async () => {
    const app = createApp(appOptions({ requestTimeoutMs: 30, debugRoutes: true }))
    const answer = app.fetch(request('/debug/delay/30', { headers: { 'x-request-id': 'slow-1' } }))
    expect(app.inFlight.describe()).toEqual(['GET /debug/delay/:seconds slow-1'])
    await expectProblem(await answer, 503, 'request-timeout')
    expect(app.inFlight.describe()).toEqual([])
    app.inFlight.close()
  })
})

describe('the request id', () => {
  const app = createApp(appOptions())
  const answer = async (headers: Record<string, string>): Promise<Response> =>
    await app.fetch(request('/version', { headers }))

  for (const id of ['a', 'A-z_0.9', 'x'.repeat(128), '0190b0a4-7b5c-7000-8000-000000000000']) {
    test(`${id.slice(0, 40)} is kept and echoed`, async () => {
      expect((await answer({ 'x-request-id': id })).headers.get('x-request-id')).toBe(id)
    })
  }

  for (const [name, id] of [
    ['empty', ''],
    ['129 characters', 'x'.repeat(129)],
    ['a space', 'a b'],
    ['said twice', 'a, b'],
    ['quotes', '"},{"a":"'],
    ['HTML', '<script>'],
    ['not ASCII', 'é'],
  ] as const) {
    test(`one that is not sane (${name}) is replaced by one of ours`, async () => {
      const echoed = (await answer({ 'x-request-id': id })).headers.get('x-request-id')
      expect(echoed).toMatch(/^[0-9a-f]{16}-[0-9a-z]+$/)
    })
  }

  test('ours differ from each other, also between instances', async () => {
    const other = createApp(appOptions())
    const ids = new Set<string | null>()
    for (let i = 0; i < 500; i++)
      for (const one of [app, other])
        ids.add((await one.fetch(request('/version'))).headers.get('x-request-id'))
    expect(ids.size).toBe(1_000)
  })
})

describe('every answer names the instance and the request', () => {
  const lines: string[] = []
  const options = appOptions({ debugRoutes: true }, lines)
  const app: App = createApp(options)
  const broken = createApp(
    appOptions({
      metrics: {
        ...options.metrics,
        observePayload() {
          throw new Error('broken')
        },
      },
    }),
  )
  const cases: [name: string, status: number, app: App, asked: Request][] = [
    ['200', 200, app, post('/payload', examplePayload)],
    ['200 of a probe', 200, app, request('/health')],
    ['200 of metrics', 200, app, request('/metrics')],
    ['200 of a file', 200, app, request('/docs/swagger-ui.css')],
    ['200 of a stream', 200, app, request('/debug/bytes/10')],
    ['404', 404, app, request('/nowhere')],
    ['405', 405, app, request('/payload')],
    ['405 of a guard', 405, app, request('/', { method: 'TRACE' })],
    ['400 of a guard', 400, app, request('/health', { headers: { host: 'a b' } })],
    ['400 of a body', 400, app, post('/payload', '{}')],
    ['415', 415, app, post('/payload', '{}', { 'content-type': 'text/plain' })],
    ['500', 500, broken, post('/payload', examplePayload)],
    ['503', 503, app, request('/data')],
  ]
  for (const [name, status, service, asked] of cases) {
    test(name, async () => {
      asked.headers.set('x-request-id', `id-of.${status}`)
      const response = await service.fetch(asked)
      expect({
        status: response.status,
        servedBy: response.headers.get('x-served-by'),
        requestId: response.headers.get('x-request-id'),
        sniff: response.headers.get('x-content-type-options'),
      }).toEqual({ status, servedBy: 'instance-1', requestId: `id-of.${status}`, sniff: 'nosniff' })
    })
  }

  test('and each is one access line: probes and scrapes at debug, all else at info', async () => {
    await options.log.flush()
    lines.length = 0
    for (const [path, id] of [
      ['/health', 'a'],
      ['/metrics', 'b'],
      ['/version', 'c'],
      ['/nowhere/42', 'd'],
      ['/v1/payload', 'e'],
    ])
      await app.fetch(request(path as string, { headers: { 'x-request-id': id as string } }))
    await options.log.flush()
    const told = lines
      .join('')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(
      told.map(({ level, msg, method, route, status, request_id }) => [
        level,
        msg,
        method,
        route,
        status,
        request_id,
      ]),
    ).toEqual([
      ['debug', 'request', 'GET', '/health', 200, 'a'],
      ['debug', 'request', 'GET', '/metrics', 200, 'b'],
      ['debug', 'request', 'GET', '/version', 200, 'c'],
      ['info', 'request', 'GET', 'unmatched', 404, 'd'],
      ['info', 'request', 'GET', '/payload', 405, 'e'],
    ])
    for (const { duration_ms, time, service, instance } of told) {
      expect(duration_ms).toBeNumber()
      expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
      expect([service, instance]).toEqual(['tally', 'instance-1'])
    }
  })

  test('without an access log only what went wrong inside is told', async () => {
    const quiet: string[] = []
    const silent = appOptions({ accessLog: false }, quiet)
    const service = createApp(silent)
    await service.fetch(request('/version'))
    await service.fetch(request('/nowhere'))
    await service.fetch(request('/data'))
    await silent.log.flush()
    const told = quiet
      .join('')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(told.map(({ status }) => status)).toEqual([503])
  })
})
