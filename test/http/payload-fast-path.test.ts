import { afterAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import fc from 'fast-check'
import { createApp } from '../../src/http/app.ts'
import { createFetch } from '../../src/http/fetch.ts'
import { hashKey } from '../../src/http/middleware/api-keys.ts'
import { auth } from '../../src/http/middleware/auth.ts'
import type { Check } from '../../src/http/middleware/check.ts'
import { faultInjection } from '../../src/http/middleware/fault-injection.ts'
import { limitFailures, rateLimit } from '../../src/http/middleware/rate-limit.ts'
import { strictTransport } from '../../src/http/middleware/security-headers.ts'
import { createPayloadFastPath } from '../../src/http/payload-fast-path.ts'
import { createProblemResponse, ProblemError } from '../../src/http/problem.ts'
import { createDescribeRequest } from '../../src/http/request-details.ts'
import { RequestTracker } from '../../src/http/request-tracker.ts'
import { createLifecycle, serve } from '../../src/lifecycle/index.ts'
import { createMemoryRateLimiter } from '../../src/rate-limit/memory.ts'
import { noFaults } from '../../src/runtime-settings/settings.ts'
import { QueueFull } from '../../src/tasks/task-queue.ts'
import { createFaultInjectionMetrics } from '../../src/telemetry/metrics/fault-injection-metrics.ts'
import type { Span, Tracing } from '../../src/telemetry/tracing/tracing.ts'
import { appDeps } from '../support/app-deps.ts'
import { comparable, limits, mask, maskLogMember, openLanes, type Setup } from '../support/app-lanes.ts'
import { examplePayload } from '../support/example-payload.ts'
import { listen } from '../support/listening.ts'
import { liveSettings } from '../support/live.ts'
import {
  badEncodings,
  badHosts,
  badTypes,
  example,
  isPlain,
  knownKey,
  maxFastBytes,
  oddPaths,
  plain,
  queries,
  type RequestShape,
  requestsBelow,
  toRequest,
  utf8,
} from '../support/payload-requests.ts'
import { connectRaw, type RawResponse } from '../support/raw-connection.ts'
import { until } from '../support/until.ts'

setDefaultTimeout(60_000)

const withChecks =
  (...checks: Check[]): Setup =>
  () => ({ applicationChecks: checks })

/** A check that decides like another one, but later. */
const later =
  (check: Check): Check =>
  async (request, context) => {
    await Bun.sleep(0)
    return check(request, context)
  }

const keys = [{ name: 'known', hash: hashKey(knownKey) }]
const keyAuth = () => auth({ keys: () => keys })
const tokenAuth = () =>
  auth({
    scope: 'tally.use',
    verifyToken: async (token) => {
      if (token.startsWith('eyJa')) return { ok: false, reason: 'unavailable' }
      if (token.startsWith('eyJb')) return { ok: false, reason: 'expired' }
      const scopes = new Set(token.startsWith('eyJc') ? ['other'] : ['tally.use'])
      return { ok: true, holder: { subject: 'alice "quoted"', scopes } }
    },
  })
const limitedRate = (quota: number) => {
  const rate = { quota, windowMs: 10_000 }
  return rateLimit({
    rate,
    limiter: createMemoryRateLimiter(rate, 100, () => 0),
    clientAddress: () => '192.0.2.1',
  })
}
const withFaults =
  (faults: object): Setup =>
  ({ registry }) => {
    const settings = liveSettings({ faults: { ...noFaults, ...faults } })
    const count = createFaultInjectionMetrics(registry, 'api_', () => ({
      errorRate: 0,
      delayRate: 0,
      delaySeconds: 0,
    }))
    let drawn = 0
    return { applicationChecks: [faultInjection(settings, count, () => (drawn++ % 5) / 5)] }
  }
const throwing = (thrown: unknown): Check => {
  return () => {
    throw thrown
  }
}
const brokenMetrics =
  (thrown: unknown): Setup =>
  (metrics) => ({
    metrics: {
      ...metrics,
      observePayload() {
        throw thrown
      },
    },
  })

const setups: Readonly<Record<string, Setup>> = {
  plain: () => ({}),
  'with a base path': () => ({ basePath: '/tally' }),
  'with the base path /v1': () => ({ basePath: '/v1' }),
  'with status 422': () => ({ validationStatus: 422 }),
  'without access log': () => ({ accessLog: false }),
  'without optional log fields': () => ({ logBytes: false }),
  'with every log field': () => ({
    describeRequest: createDescribeRequest({ path: true, userAgent: true, clientAddress: () => '::1' }),
  }),
  'with compression and debug routes': () => ({ compress: true, debugRoutes: true }),
  'with HSTS': withChecks(strictTransport),
  'with API keys and a rate': () => ({ applicationChecks: [keyAuth(), limitedRate(20)] }),
  'with limited failures': () => ({
    applicationChecks: [limitFailures(keyAuth(), limitedRate(5)), limitedRate(20)],
  }),
  'with limited failures of slow checks': () => ({
    applicationChecks: [limitFailures(later(tokenAuth()), later(limitedRate(5)))],
  }),
  'with slow checks': () => ({ applicationChecks: [later(keyAuth()), later(limitedRate(20)), keyAuth()] }),
  'with an exceeded rate': () => ({ applicationChecks: [strictTransport, limitedRate(3)] }),
  'with a limiter that fails open': () => {
    const rate = { quota: 1, windowMs: 1_000 }
    const limiter = { take: async () => undefined, close: () => {} }
    return { applicationChecks: [rateLimit({ rate, limiter, clientAddress: () => undefined })] }
  },
  'with tokens': () => ({ applicationChecks: [tokenAuth()] }),
  'with injected errors': withFaults({ error_rate: 0.5, error_status: 418 }),
  'with injected delays and errors': withFaults({ error_rate: 0.3, delay_rate: 0.5, delay_ms: 1 }),
  'shedding all load': () => ({ overload: { maxInFlight: 0, maxLagMs: 0 } }),
  'shedding no load': () => ({ overload: { maxInFlight: 100, maxLagMs: 0 } }),
  'with a check that throws': withChecks(throwing(new Error('secret', { cause: new TypeError('deep') }))),
  'with a check that throws a problem': withChecks(
    throwing(new ProblemError({ code: 'forbidden', detail: 'No.', headers: { 'x-why': 'because' } })),
  ),
  'with a check that throws a domain error': withChecks(throwing(new QueueFull(5))),
  'with a check that throws no error': withChecks(throwing({ code: 'queue-full' })),
  'with a check that throws undefined': withChecks(throwing(undefined)),
  'with a slow check that throws no error': withChecks(later(throwing('text'))),
  'with a slow check that throws': withChecks(strictTransport, later(throwing(new Error('secret')))),
  'with metrics that throw': brokenMetrics(new Error('secret')),
  'with metrics that throw no error': brokenMetrics(null),
}

const silentSpan: Span = {
  ids: { trace_id: '0af7651916cd43dd8448eb211c80319c', span_id: 'b7ad6b7169203331' },
  set: () => {},
  fail: () => {},
  end: () => {},
}
const silentTracing: Tracing = {
  startSpan: () => silentSpan,
  withSpan: (_span, work) => work(),
  trace: (_name, _options, work) => work(),
  ids: () => undefined,
  traceparent: () => undefined,
  droppedSpans: 0,
  close: () => Promise.resolve(),
}

describe('the fast path and the Hono app', () => {
  const opened = Object.entries(setups).map(([name, setup]) => ({ name, setup, lanes: openLanes(setup) }))
  afterAll(() => {
    for (const { lanes } of opened) lanes[Symbol.dispose]()
  })

  for (const { name, setup, lanes } of opened)
    test(`respond, count and log alike for generated requests: ${name}`, async () => {
      const { basePath = '' } = setup(appDeps().metrics)
      let fastCount = 0
      const property = fc.asyncProperty(requestsBelow(basePath), async (shape) => {
        const { tookFastPath } = await lanes.expectEqual(() => toRequest(shape))
        if (tookFastPath === undefined) return
        expect(tookFastPath).toBe(isPlain(shape, basePath))
        if (tookFastPath) fastCount++
      })
      await fc.assert(property, { numRuns: 60, endOnFailure: true })
      await lanes.expectEqualCounts()
      // About a third of the requests are plain; chance cannot make it none. Shed ones are rejected before the check that
      // counts.
      if (name !== 'shedding all load') expect(fastCount).toBeGreaterThan(0)
    })
})

describe('the fast path', () => {
  const deps = appDeps()
  const tracker = new RequestTracker({ ...deps, timeoutMs: 1_000 })
  afterAll(() => tracker.close())
  const fastPath = createPayloadFastPath({
    tracker,
    problemResponse: createProblemResponse(400),
    onError: (error) => {
      throw error
    },
    checks: [],
    limits,
    threshold: maxFastBytes,
    metrics: deps.metrics,
    paths: ['/payload', '/v1/payload'],
  })
  let reachedHono = false
  const fetch = createFetch(
    {
      fetch() {
        reachedHono = true
        return new Response()
      },
    },
    { fastPath },
  )
  const send = async (changes: Partial<RequestShape>): Promise<number | undefined> => {
    reachedHono = false
    const { status } = await fetch(toRequest({ ...plain, ...changes }))
    return reachedHono ? undefined : status
  }

  const taken: [name: string, status: number, changes: Partial<RequestShape>][] = [
    ['a plain payload', 200, {}],
    ['a payload below /v1', 200, { path: '/v1/payload' }],
    ['another host', 200, { host: 'localhost:8000' }],
    ['a media type with a charset', 200, { type: 'application/JSON; charset=utf-8' }],
    ['a structured media type', 200, { type: 'application/vnd.x+json' }],
    ['no content coding', 200, { encoding: 'identity' }],
    ['an invalid payload', 400, { bytes: utf8('{}') }],
    ['malformed JSON', 400, { bytes: utf8('{') }],
    ['an empty body', 400, { bytes: utf8('') }],
    ['the longest body', 400, { bytes: utf8(' '.repeat(3_000)) }],
    ['a stream with a length', 200, { arrival: 'chunks' }],
    ['a stream that fails', 400, { arrival: 'error' }],
  ]
  for (const [name, status, changes] of taken)
    test(`takes ${name}`, async () => {
      expect(await send(changes)).toBe(status)
    })

  const left: [name: string, changes: Partial<RequestShape>][] = [
    ...['GET', 'HEAD', 'PUT', 'OPTIONS', 'TRACE'].map((method): [string, Partial<RequestShape>] => [
      method,
      { method },
    ]),
    ...oddPaths
      .filter((path) => path !== '/x/../payload')
      .map((path): [string, Partial<RequestShape>] => [path, { path }]),
    ...queries
      .filter((query) => query.startsWith('?'))
      .map((query): [string, Partial<RequestShape>] => [`/payload${query}`, { path: `/payload${query}` }]),
    ['a body without a length', { length: 'absent' }],
    ['a repeated length', { length: '5, 5' }],
    ['a body too long for the event loop', { bytes: utf8(' '.repeat(3_001)) }],
    ...badTypes.map((type): [string, Partial<RequestShape>] => [`the media type ${type}`, { type }]),
    ...badEncodings.map((encoding): [string, Partial<RequestShape>] => [
      `the coding "${encoding}"`,
      { encoding },
    ]),
    ...badHosts.map((host): [string, Partial<RequestShape>] => [`the host "${host}"`, { host }]),
  ]
  for (const [name, changes] of left)
    test(`leaves to Hono: ${name}`, async () => {
      expect(await send(changes)).toBeUndefined()
      expect(tracker.size).toBe(0)
    })

  for (const [name, changes] of [
    ['requests are traced', { tracing: silentTracing }],
    ['other origins may read responses', { cors: { origins: '*' } }],
  ] as const)
    test(`is off when ${name}`, async () => {
      using lanes = openLanes(() => ({}), changes)
      expect((await lanes.expectEqual(() => toRequest(plain))).tookFastPath).toBe(false)
      await lanes.expectEqualCounts()
    })
})

describe('a deadline that passes', () => {
  const requestTimeoutMs = 20
  const never = new Promise<undefined>(() => {})

  /** A body that arrives, or fails, when the test decides. */
  function heldBodies() {
    const controllers: ReadableStreamDefaultController<Uint8Array>[] = []
    return {
      create: () =>
        new Request('http://tally.example/payload', {
          method: 'POST',
          headers: { 'content-type': 'application/json', 'content-length': '60', 'x-request-id': 'late' },
          body: new ReadableStream<Uint8Array>({ start: (controller) => void controllers.push(controller) }),
        }),
      async end(finish: (controller: ReadableStreamDefaultController<Uint8Array>) => void) {
        for (const controller of controllers) finish(controller)
        // The late handler runs to its end.
        await Bun.sleep(10)
      },
    }
  }
  const arrive = (bytes: Uint8Array) => (controller: ReadableStreamDefaultController<Uint8Array>) => {
    controller.enqueue(bytes)
    controller.close()
  }

  type Finish = (controller: ReadableStreamDefaultController<Uint8Array>) => void
  const late: [name: string, setup: Setup, finish: Finish][] = [
    ['before the body arrives', () => ({}), arrive(example)],
    ['before an invalid body arrives', () => ({}), arrive(utf8('{}'))],
    ['before the body fails', () => ({}), (controller) => controller.error(new Error('lost'))],
    ['before a failure', brokenMetrics(new Error('too late')), arrive(example)],
  ]
  for (const [name, setup, finish] of late)
    test(`gets the same response, count and log line: ${name}`, async () => {
      using lanes = openLanes(setup, { requestTimeoutMs })
      const bodies = heldBodies()
      const { status, tookFastPath } = await lanes.expectEqual(bodies.create, () => bodies.end(finish))
      await lanes.expectEqualCounts()
      expect({ status, tookFastPath }).toEqual({ status: 503, tookFastPath: true })
    })

  for (const [name, check] of [
    ['in a check', () => never],
    ['in a check that allows the request later', () => Bun.sleep(50).then(() => undefined)],
    [
      'in a check that refuses it later',
      () => Bun.sleep(50).then(() => ({ code: 'forbidden', detail: 'No.' })),
    ],
    ['in a check that fails later', () => Bun.sleep(50).then(() => Promise.reject(new Error('late')))],
  ] as const satisfies [string, Check][])
    test(`gets the same response, count and log line: ${name}`, async () => {
      using lanes = openLanes(withChecks(strictTransport, check), { requestTimeoutMs })
      const { status, tookFastPath } = await lanes.expectEqual(
        () => toRequest(plain),
        () => Bun.sleep(100),
      )
      await lanes.expectEqualCounts()
      expect({ status, tookFastPath }).toEqual({ status: 503, tookFastPath: true })
    })
})

describe('over sockets', () => {
  const body = JSON.stringify(examplePayload)
  const head = 'POST /payload HTTP/1.1\r\nHost: tally.example\r\nContent-Type: application/json\r\n'
  const sized = (head: string, text = body) => `${head}Content-Length: ${text.length}\r\n\r\n${text}`
  const chunked = `Transfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`

  const readWire = (response: RawResponse | undefined) => {
    if (response === undefined) throw new Error('connection ended before a response')
    const headers = comparable(response.headers)
    // The duration of an analysis has one to four digits.
    const { 'content-length': length, ...others } = headers
    const body = mask(response.body)
    const isSummary = body.includes('processing_time_ms')
    if (isSummary) expect(Number(length)).toBe(response.body.length)
    return { status: response.status, headers: isSummary ? others : headers, body }
  }

  const exchanges: [name: string, bytes: string][] = [
    ['a payload', sized(head)],
    ['a payload below /v1', sized(head.replace('/payload', '/v1/payload'))],
    ['an invalid payload', sized(head, '{"numbers":[1e400],"text":"a"}')],
    ['an empty body', `${head}Content-Length: 0\r\n\r\n`],
    ['no body', `${head}\r\n`],
    ['a body in chunks', head + chunked],
    ['a repeated length', `${head}Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}`],
    ['a length that is too short', `${head}Content-Length: 5\r\nConnection: close\r\n\r\n${body}`],
    ['a bare ?', sized(head.replace('/payload', '/payload?'))],
    ['an encoded path', sized(head.replace('/payload', '/p%61yload'))],
    ['a path with dots', sized(head.replace('/payload', '/x/../payload'))],
    ['two slashes', sized(head.replace('/payload', '//payload'))],
    ['an absolute URL', sized(head.replace('/payload', 'http://other.example/payload'))],
    ['HTTP/1.0', sized(head.replace('1.1', '1.0'))],
    ['HEAD', 'HEAD /payload HTTP/1.1\r\nHost: tally.example\r\n\r\n'],
    ['OPTIONS', 'OPTIONS /payload HTTP/1.1\r\nHost: tally.example\r\n\r\n'],
    ['TRACE', 'TRACE /payload HTTP/1.1\r\nHost: tally.example\r\n\r\n'],
    ['no Host', sized(head.replace('Host: tally.example\r\n', ''))],
    ['two Hosts', sized(head.replace('Host', 'Host: other.example\r\nHost'))],
    ['an invalid Host', sized(head.replace('tally.example', 'a b'))],
    ['an empty Host', sized(head.replace('tally.example', ''))],
    ['a Host with a path', sized(head.replace('tally.example', 'tally.example/x'))],
  ]
  for (const [name, bytes] of exchanges)
    test(`the fast path and the Hono app respond alike: ${name}`, async () => {
      const [expected, actual] = await Promise.all(
        [false, true].map(async (payloadFastPath) => {
          await using server = listen({ payloadFastPath })
          using connection = await connectRaw(server.port)
          void connection.send(bytes)
          return readWire(await connection.next(name === 'HEAD' ? name : undefined))
        }),
      )
      expect(actual).toEqual(expected)
    })

  test('a client that leaves in the middle of its body is counted and logged alike', async () => {
    const observations = [false, true].map(async (payloadFastPath) => {
      const lines: string[] = []
      const { metrics, log } = appDeps({}, lines)
      await using server = listen({ payloadFastPath, metrics, log })
      using connection = await connectRaw(server.port)
      await connection.send(`${head}Content-Length: 1000\r\n\r\n{"numbers":[1,`)
      await until(() => server.app.requests.size === 1)
      connection[Symbol.dispose]()
      await until(() => server.app.requests.size === 0)
      await log.flush()
      return {
        metrics: await metrics.registry.getSingleMetricAsString('api_http_requests_total'),
        log: lines.map((line) => JSON.stringify(JSON.parse(line, maskLogMember))),
      }
    })
    const [expected, actual] = await Promise.all(observations)
    expect(expected?.metrics).toContain('{method="POST",route="/payload",status="400"} 1')
    expect(actual).toEqual(expected)
  })

  test('a draining server closes connections alike', async () => {
    const answers = [false, true].map(async (payloadFastPath) => {
      const app = createApp(appDeps({ payloadFastPath }))
      const lifecycle = createLifecycle({ drainQuietMs: 60_000, drainMaxMs: 60_000, shutdownTimeoutMs: 0 })
      const { port } = serve(lifecycle, {
        port: 0,
        hostname: '127.0.0.1',
        fetch: app.fetch,
        literalPaths: app.literalPaths,
      })
      lifecycle.markReady()
      using connection = await connectRaw(port)
      const responses = []
      await connection.send(sized(head))
      responses.push(await connection.next())
      const shutdown = lifecycle.shutdown('SIGTERM')
      await connection.send(sized(head))
      responses.push(await connection.next())
      await shutdown
      app.requests.close()
      return responses.map(readWire)
    })
    const [expected, actual] = await Promise.all(answers)
    expect(expected?.map(({ headers }) => headers.connection)).toEqual([undefined, 'close'])
    expect(actual).toEqual(expected ?? [])
  })
})
