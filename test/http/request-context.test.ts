import { describe, expect, test } from 'bun:test'
import { type DocumentStore, StoreUnavailable } from '../../src/documents/document-store.ts'
import { type AppDeps, createApp } from '../../src/http/app.ts'
import { createDescribeRequest } from '../../src/http/request-details.ts'
import type { TakeHeapSnapshot } from '../../src/http/routes/heap.ts'
import { createLifecycle } from '../../src/lifecycle/index.ts'
import { createTask } from '../../src/tasks/task.ts'
import { adminDeps } from '../support/admin-deps.ts'
import { appDeps } from '../support/app-deps.ts'
import { expectProblem } from '../support/problems.ts'
import { until } from '../support/until.ts'

type Document = Awaited<ReturnType<DocumentStore['get']>>

/** A service with a short deadline, and what it logs, counts and has in flight. */
function createService(changes: Partial<AppDeps> = {}) {
  const lines: string[] = []
  const deps = appDeps({ requestTimeoutMs: 30, ...changes }, lines)
  const app = createApp(deps)
  return {
    request: app.request,
    requests: app.requests,
    counted: async (): Promise<string[]> =>
      (await deps.metrics.registry.getSingleMetricAsString('api_http_requests_total'))
        .split('\n')
        .filter((line) => !line.startsWith('#')),
    logged: async (): Promise<Record<string, unknown>[]> => {
      await deps.log.flush()
      return lines
        .join('')
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as Record<string, unknown>)
    },
    [Symbol.dispose]: () => app.requests.close(),
  }
}

/** The same with `get` as the handler of GET /data/:id. */
const createServiceWith = (get: (id: string) => Promise<Document>, changes: Partial<AppDeps> = {}) =>
  createService({ store: { ...appDeps().store, get }, ...changes })

const counted = (status: number) =>
  `api_http_requests_total{method="GET",route="/data/:id",status="${status}"} 1`

describe('a handler that fails', () => {
  const secret = new Error('password of postgres://user:hunter2@db', {
    cause: new TypeError('the deeper reason'),
  })
  for (const [name, get] of [
    [
      'throws',
      () => {
        throw secret
      },
    ],
    ['rejects', () => Promise.reject(secret)],
  ] as const) {
    test(`${name}: the response is a 500 without internals, and the log has them under the request id`, async () => {
      using service = createServiceWith(get)
      const response = await service.request('/data/1', { headers: { 'x-request-id': 'find-me' } })
      const problem = await expectProblem(response, 500, 'internal-error')
      expect(problem.request_id).toBe('find-me')
      expect(JSON.stringify(problem)).not.toMatch(/hunter2|deeper|Error|\.ts/)
      const [failed, request] = await service.logged()
      expect(failed).toMatchObject({
        level: 'error',
        msg: 'request failed',
        request_id: 'find-me',
        route: '/data/:id',
        code: 'internal-error',
        error: {
          name: 'Error',
          message: 'password of postgres://***@db',
          cause: { name: 'TypeError', message: 'the deeper reason' },
        },
      })
      expect(request).toMatchObject({
        level: 'error',
        msg: 'request',
        request_id: 'find-me',
        status: 500,
        code: 'internal-error',
        cause: 'password of postgres://***@db: TypeError: the deeper reason',
      })
      expect(JSON.stringify([failed, request])).not.toContain('hunter2')
      expect(service.requests.describe()).toEqual([])
      expect(await service.counted()).toEqual([counted(500)])
    })
  }

  const cycle: Record<string, unknown> = {}
  cycle.self = cycle
  for (const [name, thrown] of [
    ['a cycle', cycle],
    ['undefined', undefined],
    ['null', null],
    ['a string', 'text'],
    ['a bigint', 7n],
    ['an object without a prototype', Object.create(null) as object],
    ['an object with a known code', { code: 'queue-full' }],
  ] as const)
    test(`with ${name} instead of an Error: 500, logged and counted once`, async () => {
      using service = createServiceWith(() => Promise.reject(thrown))
      await expectProblem(await service.request('/data/1'), 500, 'internal-error')
      expect((await service.logged()).map(({ msg }) => msg)).toEqual(['request failed', 'request'])
      expect(await service.counted()).toEqual([counted(500)])
    })

  test('with a string: the log shows the string', async () => {
    using service = createServiceWith(() => Promise.reject('text'))
    await service.request('/data/1')
    expect((await service.logged())[0]).toMatchObject({ msg: 'request failed', error: 'text' })
  })
})

describe('an unavailable dependency', () => {
  const away = (reason: string): StoreUnavailable =>
    new StoreUnavailable(1, { cause: new Error(`cannot reach redis://user:hunter2@${reason}`) })

  test('is named in the access line of every request, and in full once', async () => {
    using service = createServiceWith(() => Promise.reject(away('first')))
    for (const id of ['a', 'b', 'c'])
      await expectProblem(
        await service.request('/data/1', { headers: { 'x-request-id': id } }),
        503,
        'store-unavailable',
      )
    const logged = await service.logged()
    const line = { level: 'error', code: 'store-unavailable', route: '/data/:id' }
    const request = { ...line, msg: 'request', status: 503, cause: 'cannot reach redis://***@first' }
    expect(logged).toMatchObject([
      {
        ...line,
        msg: 'request failed',
        request_id: 'a',
        error: { message: 'cannot reach redis://***@first' },
      },
      { ...request, request_id: 'a' },
      { ...request, request_id: 'b' },
      { ...request, request_id: 'c' },
    ])
    expect(JSON.stringify(logged)).not.toContain('hunter2')
  })

  test('is logged in full for each of its causes', async () => {
    let calls = 0
    using service = createServiceWith(() => Promise.reject(away(calls++ % 2 === 0 ? 'first' : 'second')))
    for (let i = 0; i < 6; i++) await service.request('/data/1')
    const failed = (await service.logged()).filter(({ msg }) => msg === 'request failed')
    expect(failed.map(({ error }) => (error as Error).message)).toEqual([
      'cannot reach redis://***@first',
      'cannot reach redis://***@second',
    ])
  })
})

describe('a handler that exceeds the deadline', () => {
  test('is answered with 503 and Retry-After, counted and logged once', async () => {
    const pending = Promise.withResolvers<Document>()
    using service = createServiceWith(() => pending.promise)
    const answer = service.request('/data/1', { headers: { 'x-request-id': 'slow-1' } })
    expect(service.requests.describe()).toEqual(['GET /data/:id slow-1'])
    const response = await answer
    await expectProblem(response, 503, 'request-timeout')
    expect(response.headers.get('retry-after')).toBe('1')
    expect(service.requests.describe()).toEqual([])
    expect((await service.logged()).map(({ msg, status }) => ({ msg, status }))).toEqual([
      { msg: 'request', status: 503 },
    ])
    expect(await service.counted()).toEqual([counted(503)])
  })

  test('has its late result dropped: neither counted nor logged', async () => {
    const pending = Promise.withResolvers<Document>()
    using service = createServiceWith(() => pending.promise)
    const response = await service.request('/data/1')
    pending.resolve({ id: '1', body: '{"id":"1"}', version: 'a', position: '1', createdAt: 0, updatedAt: 0 })
    await Bun.sleep(5)
    await expectProblem(response, 503, 'request-timeout')
    expect(await service.counted()).toEqual([counted(503)])
    expect(await service.logged()).toHaveLength(1)
  })

  for (const thrown of [new Error('too late'), 'too late'])
    test(`has its late failure logged, but not answered or counted: ${typeof thrown}`, async () => {
      const pending = Promise.withResolvers<Document>()
      using service = createServiceWith(() => pending.promise)
      const response = await service.request('/data/1')
      pending.reject(thrown)
      await until(async () => (await service.logged()).some(({ level }) => level === 'error'))
      await expectProblem(response, 503, 'request-timeout')
      expect((await service.logged()).map(({ msg }) => msg)).toEqual(['request', 'request failed'])
      expect(await service.counted()).toEqual([counted(503)])
    })

  test('does not delay other requests, and each request has its own deadline', async () => {
    const never = new Promise<Document>(() => {})
    using service = createServiceWith((id) => (id === 'slow' ? never : Promise.resolve(undefined)), {
      requestTimeoutMs: 100,
    })
    const slow = [service.request('/data/slow'), service.request('/data/slow')]
    expect((await service.request('/data/quick')).status).toBe(404)
    expect(service.requests.size).toBe(2)
    const statuses = (await Promise.all(slow)).map(({ status }) => status)
    expect(statuses).toEqual([503, 503])
    expect(service.requests.size).toBe(0)
  })

  // A large body: only its handler uses the signal of the request.
  const sendLarge = (service: ReturnType<typeof createService>) =>
    service.request('/payload', {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'content-length': '3' },
      body: '{} ',
    })
  const withPool = (run: AppDeps['pool']['run']) =>
    createService({
      limits: { ...appDeps().limits, largeBodyThreshold: 0 },
      pool: { warmUp: () => {}, run },
    })

  test('sees its signal abort at the deadline', async () => {
    let signal: AbortSignal | undefined
    let abortedAtStart: boolean | undefined
    using service = withPool((_job, options) => {
      signal = options.signal
      abortedAtStart = signal?.aborted
      return new Promise(() => {})
    })
    await expectProblem(await sendLarge(service), 503, 'request-timeout')
    expect(abortedAtStart).toBe(false)
    expect(signal?.aborted).toBe(true)
  })

  for (const delay of [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    for (const outcome of ['result', 'failure'] as const)
      test(`keeps the 503 when its ${outcome} follows the signal after ${delay} microtasks`, async () => {
        using service = withPool(
          (_job, { signal }) =>
            new Promise((resolve, reject) => {
              signal?.addEventListener('abort', async () => {
                for (let i = 0; i < delay; i++) await undefined
                if (outcome === 'failure') reject(new Error('aborted'))
                else resolve({ ok: false, error: { code: 'invalid-input', detail: 'Late.' } } as never)
              })
            }),
        )
        await expectProblem(await sendLarge(service), 503, 'request-timeout')
        await Bun.sleep(2)
        expect((await service.logged()).map(({ msg, status }) => [msg, status])).toEqual([['request', 503]])
      })

  test('releases a heap snapshot that is taken too late', async () => {
    const pending = Promise.withResolvers<void>()
    let cancelled = 0
    const takeHeapSnapshot: TakeHeapSnapshot = async () => {
      await pending.promise
      return { pid: 1, body: new ReadableStream({ cancel: () => void cancelled++ }) }
    }
    using service = createService({
      admin: adminDeps({ canInjectFaults: false, takeHeapSnapshot }),
    })
    await expectProblem(await service.request('/debug/heap', { method: 'POST' }), 503, 'request-timeout')
    await expectProblem(await service.request('/debug/heap', { method: 'POST' }), 503, 'overloaded')
    pending.resolve()
    await until(() => cancelled === 1)
    const response = await service.request('/debug/heap', { method: 'POST' })
    expect(response.status).toBe(200)
    await response.body?.cancel()
  })

  test('opens no event stream after it', async () => {
    const pending = Promise.withResolvers<void>()
    const task = createTask('1', { kind: 'analysis', payload: '"text"' }, { createdAt: 0 })
    let isWatched = false
    const service = createService({
      queue: {
        ...appDeps().queue,
        find: () => pending.promise.then(() => task),
        watch() {
          isWatched = true
          return { [Symbol.asyncIterator]: () => ({ next: async () => ({ done: true, value: undefined }) }) }
        },
      },
    })
    await expectProblem(await service.request('/tasks/1/events'), 503, 'request-timeout')
    pending.resolve()
    // A stream would begin in the turn in which the task is found.
    await new Promise((resolve) => setImmediate(resolve))
    expect(isWatched).toBe(false)
    service.requests.close()
  })
})

describe('the request id', () => {
  const app = createApp(appDeps())
  const getId = async (headers: Record<string, string>): Promise<string | null> =>
    (await app.request('/version', { headers })).headers.get('x-request-id')

  for (const id of ['a', 'A-z_0.9', 'x'.repeat(128), '0190b0a4-7b5c-7000-8000-000000000000']) {
    test(`of the client is kept and returned: ${id.slice(0, 40)}`, async () => {
      expect(await getId({ 'x-request-id': id })).toBe(id)
    })
  }

  for (const [name, id] of [
    ['empty', ''],
    ['129 characters', 'x'.repeat(129)],
    ['a space', 'a b'],
    ['two ids', 'a, b'],
    ['quotes', '"},{"a":"'],
    ['HTML', '<script>'],
    ['not ASCII', 'é'],
  ] as const) {
    test(`of the client is replaced when it is invalid: ${name}`, async () => {
      expect(await getId({ 'x-request-id': id })).toMatch(/^[0-9a-f]{16}-[0-9a-z]+$/)
    })
  }

  test('is unique when generated, also between instances', async () => {
    const other = createApp(appDeps())
    const ids = new Set<string | null>()
    for (let i = 0; i < 500; i++)
      for (const one of [app, other]) ids.add((await one.request('/version')).headers.get('x-request-id'))
    expect(ids.size).toBe(1_000)
  })
})

describe('every response names the instance and the request', () => {
  const deps = appDeps({ debugRoutes: true })
  const app = createApp(deps)
  const broken = createApp(
    appDeps({
      metrics: {
        ...deps.metrics,
        observePayload() {
          throw new Error('broken')
        },
      },
    }),
  )
  const post = (body: string, type = 'application/json'): RequestInit => ({
    method: 'POST',
    body,
    headers: { 'content-type': type },
  })
  const payload = '{"numbers":[1],"text":"a"}'
  const cases: [name: string, status: number, path: string, init?: RequestInit][] = [
    ['200', 200, '/payload', post(payload)],
    ['200 of a probe', 200, '/health'],
    ['200 of metrics', 200, '/metrics'],
    ['200 of a file', 200, '/docs/swagger-ui.css'],
    ['200 of a stream', 200, '/debug/bytes/10'],
    ['404', 404, '/nowhere'],
    ['405', 405, '/payload'],
    ['405 before routing', 405, '/', { method: 'TRACE' }],
    ['400 before routing', 400, '/health', { headers: { host: 'a b' } }],
    ['400 of a body', 400, '/payload', post('{}')],
    ['415', 415, '/payload', post(payload, 'text/plain')],
    ['500', 500, '/payload', post(payload)],
    ['503', 503, '/data'],
  ]
  for (const [name, status, path, init = {}] of cases) {
    test(name, async () => {
      const headers = new Headers(init.headers)
      headers.set('x-request-id', `id-of.${status}`)
      const response = await (status === 500 ? broken : app).request(path, { ...init, headers })
      expect({
        status: response.status,
        servedBy: response.headers.get('x-served-by'),
        requestId: response.headers.get('x-request-id'),
        sniff: response.headers.get('x-content-type-options'),
      }).toEqual({ status, servedBy: 'instance-1', requestId: `id-of.${status}`, sniff: 'nosniff' })
    })
  }

  test('a HEAD request gets the same headers', async () => {
    const head = await app.fetch(new Request('http://tally.example/version', { method: 'HEAD' }))
    expect(head.headers.get('x-served-by')).toBe('instance-1')
    expect(head.headers.get('x-request-id')).not.toBeNull()
  })
})

describe('access lines', () => {
  test('there is one for each request: at debug for probes and scrapes, at info for others', async () => {
    using service = createService()
    for (const [path, id] of [
      ['/health', 'a'],
      ['/metrics', 'b'],
      ['/version', 'c'],
      ['/nowhere/42', 'd'],
      ['/v1/payload', 'e'],
    ] as const)
      await service.request(path, { headers: { 'x-request-id': id } })
    const logged = await service.logged()
    expect(
      logged.map(({ level, msg, method, route, status, request_id }) => [
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
    expect(logged.map(({ code }) => code)).toEqual([
      undefined,
      undefined,
      undefined,
      'not-found',
      'method-not-allowed',
    ])
    for (const { duration_ms, time, service, instance } of logged) {
      expect(duration_ms).toBeNumber()
      expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
      expect([service, instance]).toEqual(['tally', 'instance-1'])
    }
  })

  test('a 404 of a resource differs from one of an unknown route', async () => {
    using service = createServiceWith(() => Promise.resolve(undefined))
    for (const path of ['/data/missing', '/nowhere']) await service.request(path)
    expect((await service.logged()).map(({ level, route, code }) => [level, route, code])).toEqual([
      ['info', '/data/:id', 'not-found'],
      ['info', 'unmatched', 'not-found'],
    ])
  })

  test('a probe that is not ready is not an error, but a failed scrape is', async () => {
    using service = createService({
      lifecycle: createLifecycle(),
      scrape: () => Promise.reject(new Error('no metrics')),
    })
    await service.request('/ready')
    await service.request('/metrics')
    expect((await service.logged()).map(({ level, msg, status }) => [level, msg, status])).toEqual([
      ['debug', 'request', 503],
      ['error', 'request failed', undefined],
      ['error', 'request', 500],
    ])
  })

  test('the first shed request of a minute is an error, the others are logged at debug', async () => {
    using service = createService({ overload: { maxInFlight: 0, maxLagMs: 0 } })
    for (let i = 0; i < 3; i++) await service.request('/data')
    const [first, ...others] = await service.logged()
    expect(first).toMatchObject({
      level: 'error',
      status: 503,
      code: 'overloaded',
      cause: 'more than 0 requests in flight',
    })
    expect(others.map(({ level, code }) => [level, code])).toEqual([
      ['debug', 'overloaded'],
      ['debug', 'overloaded'],
    ])
  })

  const post = (body: string, headers: Record<string, string> = {}) => ({
    method: 'POST',
    headers: { 'content-type': 'application/json', 'user-agent': 'curl/8 "x"', ...headers },
    body,
  })

  test('have the bytes that were received and sent, on every path through the service', async () => {
    const limits = { ...appDeps().limits, largeBodyThreshold: 40 }
    using service = createService({ logBytes: true, limits, requestTimeoutMs: 10_000 })
    const small = '{"numbers":[1],"text":"é"}'
    const large = `{"numbers":[1],"text":"é${'x'.repeat(40)}"}`
    const bytes: number[][] = []
    for (const [path, body] of [
      ['/payload', small],
      ['/payload?format=compact', small],
      ['/payload', large],
      ['/payload', '{"é":1}'],
    ] as const) {
      const response = await service.request(path, post(body))
      bytes.push([Buffer.byteLength(body), (await response.bytes()).byteLength])
    }
    expect(
      (await service.logged()).map(({ request_bytes, response_bytes }) => [request_bytes, response_bytes]),
    ).toEqual(bytes)
  })

  test('have no bytes of a body that was not read', async () => {
    using service = createService({ logBytes: true })
    await service.request('/payload', post('{}', { 'content-type': 'text/plain' }))
    const [line] = await service.logged()
    expect(line).toMatchObject({ status: 415, response_bytes: expect.any(Number) })
    expect(line).not.toHaveProperty('request_bytes')
  })

  test('have neither bytes nor personal fields unless LOG_FIELDS has them', async () => {
    using service = createService()
    await service.request('/data/alice?cursor=secret', { headers: { 'user-agent': 'curl' } })
    const [line = {}] = await service.logged()
    for (const field of ['request_bytes', 'response_bytes', 'client_address', 'path', 'user_agent'])
      expect(line).not.toHaveProperty(field)
  })

  for (const [field, value] of [
    ['path', '/data/alice'],
    ['userAgent', 'curl/8 "x"'],
    ['clientAddress', '192.0.2.1'],
  ] as const)
    test(`have ${field} and no other personal field if only that is configured`, async () => {
      const describeRequest = createDescribeRequest({
        path: field === 'path',
        userAgent: field === 'userAgent',
        clientAddress: field === 'clientAddress' ? () => '192.0.2.1' : undefined,
      })
      using service = createService({ describeRequest })
      await service.request('/data/alice?cursor=secret', { headers: { 'user-agent': 'curl/8 "x"' } })
      const { client_address, path, user_agent } = (await service.logged()).at(-1) ?? {}
      const found = { clientAddress: client_address, path, userAgent: user_agent }
      expect(found).toEqual({
        clientAddress: undefined,
        path: undefined,
        userAgent: undefined,
        [field]: value,
      })
    })

  test('of a new task name it', async () => {
    const task = createTask(
      '0190b0a4-7b5c-7000-8000-000000000000',
      { kind: 'analysis', payload: '"text"' },
      { createdAt: 0 },
    )
    using service = createService({
      queue: { ...appDeps().queue, enqueue: async () => ({ task, replayed: false }) },
    })
    await service.request('/tasks', post('{"payload":"text"}'))
    expect(await service.logged()).toMatchObject([{ status: 201, task_id: task.id }])
  })

  test('without an access log only server errors are logged', async () => {
    using service = createService({ accessLog: false })
    for (const path of ['/version', '/nowhere', '/data']) await service.request(path)
    expect((await service.logged()).map(({ status }) => status)).toEqual([503])
  })
})
