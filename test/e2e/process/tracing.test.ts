import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ReceivedSpan, startCollector } from '../../support/collector.ts'
import { createPostgresDatabase, havePostgres } from '../../support/postgres.ts'
import { haveRedis, takeRedisDatabase } from '../../support/redis.ts'
import { noDrainWindow, type Service, startService } from '../../support/service.ts'
import { until } from '../../support/until.ts'

setDefaultTimeout(60_000)

/** The W3C header of a client that also traces. */
const traceId = '0af7651916cd43dd8448eb211c80319c'
const clientSpanId = 'b7ad6b7169203331'
const traceparent = `00-${traceId}-${clientSpanId}-01`

const engines = {
  sqlite: async (stack: AsyncDisposableStack) => {
    const directory = await mkdtemp(join(tmpdir(), 'tally-tracing-'))
    stack.defer(() => rm(directory, { recursive: true }))
    return { DATA_DIR: directory }
  },
  ...(haveRedis() && {
    redis: async (stack: AsyncDisposableStack) => {
      const redis = await takeRedisDatabase()
      stack.defer(redis.remove)
      return { REDIS_URL: redis.url }
    },
  }),
  ...(havePostgres() && {
    postgresql: async (stack: AsyncDisposableStack) => {
      const postgres = await createPostgresDatabase()
      stack.defer(postgres.remove)
      return { DATABASE_URL: postgres.url }
    },
  }),
}

for (const [system, start] of Object.entries(engines))
  describe(`a task on ${system}, accepted by one process, run by a second, asked for at a third`, () => {
    const running = new AsyncDisposableStack()
    let spans: ReceivedSpan[] = []
    let worker: Service
    const span = (name: string): ReceivedSpan => {
      const found = spans.filter((one) => one.name === name)
      expect(found.map((one) => one.name)).toEqual([name])
      return found[0] as ReceivedSpan
    }

    beforeAll(async () => {
      const collector = running.use(startCollector())
      const env = {
        ...(await start(running)),
        TRACING_ENABLED: 'true',
        OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
        OTEL_BSP_SCHEDULE_DELAY: '100',
        LOG_LEVEL: 'debug',
        DRAIN_QUIET: '100ms',
      }
      const accepts = await startService({ env: { ...env, WORKER: 'off', INSTANCE_NAME: 'accepts' } })
      const answers = await startService({ env: { ...env, WORKER: 'off', INSTANCE_NAME: 'answers' } })
      worker = await startService({
        program: 'src/worker.ts',
        env: { ...env, WORKER_PORT: '0', INSTANCE_NAME: 'works' },
      })
      for (const service of [accepts, answers, worker]) running.use(service)

      const accepted = await fetch(`http://127.0.0.1:${accepts.port}/tasks`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', traceparent },
        body: JSON.stringify({ payload: { numbers: [1, 2, 3], text: 'Some text.' } }),
      })
      const { task_id } = (await accepted.json()) as { task_id: string }
      await until(async () => {
        const answer = await fetch(`http://127.0.0.1:${answers.port}/tasks/${task_id}`)
        const { task } = (await answer.json()) as { task: { status: string } }
        return task.status === 'completed'
      })
      await fetch(`http://127.0.0.1:${answers.port}/tasks/${task_id}`, { headers: { traceparent } })
      // A process exports its spans at the latest when it stops.
      for (const service of [accepts, answers, worker]) service.signal('SIGTERM')
      expect(await Promise.all([accepts.exited, answers.exited, worker.exited])).toEqual([0, 0, 0])
      spans = collector.spans.filter((one) => one.traceId === traceId)
    })
    afterAll(() => running.disposeAsync())

    test('is one trace over three processes, under the client', () => {
      expect(new Set(spans.map(({ instance }) => instance))).toEqual(new Set(['accepts', 'answers', 'works']))
      const request = span('POST /tasks')
      expect(request.parentSpanId).toBe(clientSpanId)
      expect(request.instance).toBe('accepts')
      expect(span('GET /tasks/:id').parentSpanId).toBe(clientSpanId)
      expect(span('find tasks').parentSpanId).toBe(span('GET /tasks/:id').spanId)
    })

    test('places the run in the worker under the request that created the task', () => {
      const send = span('send tasks')
      const run = span('process tasks')
      expect(send.parentSpanId).toBe(span('POST /tasks').spanId)
      expect(run.parentSpanId).toBe(send.spanId)
      expect(run.instance).toBe('works')
      expect(span('analysis').parentSpanId).toBe(run.spanId)
      expect(span('record tasks').parentSpanId).toBe(run.spanId)
      expect(run.attributes).toMatchObject({
        'messaging.system': system,
        'tally.task.outcome': 'completed',
        'tally.task.attempt': 1,
      })
    })

    test('is in the log line about the run', () => {
      const line = worker.log.lines.find(({ msg }) => msg === 'task completed')
      expect(line).toMatchObject({ trace_id: traceId, span_id: span('process tasks').spanId })
    })
  })

describe('a payload and a document', () => {
  test('have a span for each step, a trace in their log line, and none for probes', async () => {
    await using collector = startCollector()
    await using service = await startService({
      env: {
        TRACING_ENABLED: 'true',
        OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
        OTEL_SERVICE_NAME: 'named-by-otel',
        DRAIN_QUIET: '100ms',
      },
    })
    const url = `http://127.0.0.1:${service.port}`
    const headers = { 'content-type': 'application/json', traceparent }
    const send = (path: string, body: unknown): Promise<Response> =>
      fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body) })
    await send('/payload', { numbers: [1, 2, 3], text: 'Some text.' })
    await send('/payload', { numbers: Array.from({ length: 100_000 }, (_, i) => i + 0.5), text: 'Large.' })
    await send('/data', { id: 'secret-id' })
    await send('/data', { id: 'secret-id' })
    await fetch(`${url}/health`, { headers })
    await fetch(`${url}/metrics`, { headers })
    service.signal('SIGTERM')
    expect(await service.exited).toBe(0)

    const { spans } = collector
    expect(new Set(spans.map((one) => one.service))).toEqual(new Set(['named-by-otel']))
    const roots = spans.filter(({ parentSpanId }) => parentSpanId === clientSpanId)
    expect(roots.map(({ name }) => name)).toEqual([
      'POST /payload',
      'POST /payload',
      'POST /data',
      'POST /data',
    ])
    const under = (root: ReceivedSpan | undefined): string[] =>
      spans.filter(({ parentSpanId }) => parentSpanId === root?.spanId).map(({ name }) => name)
    expect(roots.map(under)).toEqual([
      ['validation', 'analysis'],
      ['validation and analysis on a thread'],
      ['create documents'],
      ['create documents'],
    ])
    expect(roots.map(({ attributes }) => attributes['http.response.status_code'])).toEqual([
      200, 200, 201, 409,
    ])
    expect(JSON.stringify(spans)).not.toContain('secret-id')
    const line = service.log.lines.find(({ msg }) => msg === 'request')
    expect(line).toMatchObject({ trace_id: traceId, span_id: roots[0]?.spanId })
  })

  test('without a parent begin a new trace, which a sampler may select', async () => {
    await using collector = startCollector()
    await using service = await startService({
      env: {
        TRACING_ENABLED: 'true',
        OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
        OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
        OTEL_TRACES_SAMPLER_ARG: '0.5',
        DRAIN_QUIET: '100ms',
      },
    })
    for (let i = 0; i < 100; i++) await (await fetch(`http://127.0.0.1:${service.port}/data/none`)).text()
    service.signal('SIGTERM')
    expect(await service.exited).toBe(0)
    const traces = new Set(collector.spans.map((one) => one.traceId))
    expect(traces.size).toBeGreaterThan(20)
    expect(traces.size).toBeLessThan(80)
  })
})

test('with a dead collector the service starts, serves and stops in time', async () => {
  const listener = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
  // Accepts connections and never responds.
  await using service = await startService({
    env: {
      TRACING_ENABLED: 'true',
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${listener.port}`,
      DRAIN_QUIET: '100ms',
    },
  })
  const answer = await fetch(`http://127.0.0.1:${service.port}/data/none`)
  expect(answer.status).toBe(404)
  service.signal('SIGTERM')
  expect(await service.exited).toBe(0)
  const stopped = service.log.lines.find(({ msg }) => msg === 'stopped')
  expect(stopped).toBeDefined()
  listener.stop(true)
})

test.each([
  ['OTEL_SDK_DISABLED', 'True'],
  ['OTEL_TRACES_EXPORTER', 'none'],
] as const)('%s=%s exports nothing, although tracing is on', async (variable, value) => {
  await using collector = startCollector()
  await using service = await startService({
    env: {
      ...noDrainWindow,
      TRACING_ENABLED: 'true',
      [variable]: value,
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    },
  })
  await (await fetch(`${service.url}/data/none`)).text()
  expect(await service.stop()).toBe(0)
  expect(collector.spans).toEqual([])
})

test('an unknown sampler is logged and ignored, and a long delay is accepted', async () => {
  await using collector = startCollector()
  await using service = await startService({
    env: {
      ...noDrainWindow,
      TRACING_ENABLED: 'true',
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_TRACES_SAMPLER: 'xray',
      OTEL_BSP_SCHEDULE_DELAY: '120000',
    },
  })
  await (await fetch(`${service.url}/data/none`)).text()
  expect(await service.stop()).toBe(0)
  expect(collector.spans.length).toBeGreaterThan(0)
  expect(service.log.lines.filter(({ level }) => level === 'warn')).toEqual([
    expect.objectContaining({
      msg: 'invalid variable ignored',
      reason: expect.stringMatching(/^OTEL_TRACES_SAMPLER must be one of .*; it is ignored$/),
    }),
  ])
})

test('headers of the export may be in a file, and follow it', async () => {
  await using collector = startCollector()
  const folder = await mkdtemp(join(tmpdir(), 'tally-headers-'))
  const file = join(folder, 'headers')
  await Bun.write(file, 'authorization=Bearer%20first\n')
  try {
    await using service = await startService({
      env: {
        ...noDrainWindow,
        TRACING_ENABLED: 'true',
        FILE_WATCH_INTERVAL: '20ms',
        OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
        OTEL_EXPORTER_OTLP_HEADERS_FILE: file,
        OTEL_BSP_SCHEDULE_DELAY: '50',
      },
    })
    const ask = async (): Promise<void> => void (await (await fetch(`${service.url}/data/none`)).text())
    await ask()
    await until(() => collector.authorizations.has('Bearer first'))
    await Bun.write(file, 'authorization=Bearer%20second\n')
    await service.log.line('secret reloaded')
    await ask()
    await until(() => collector.authorizations.has('Bearer second'))
    expect(await service.stop()).toBe(0)
    expect(service.log.text).not.toContain('Bearer')
  } finally {
    await rm(folder, { recursive: true })
  }
})
