import { expect, setDefaultTimeout, test } from 'bun:test'
import { examplePayload } from '../../support/example-payload.ts'
import { freePorts } from '../../support/free-ports.ts'
import { parseMetrics } from '../../support/metrics.ts'
import { noDrainWindow, runService, type Service, startService } from '../../support/service.ts'
import { until } from '../../support/until.ts'

setDefaultTimeout(60_000)

/** An address where nothing listens. */
const nowhere = '127.0.0.1:1'

const post = (service: Service, path: string, body: unknown, headers: Record<string, string> = {}) =>
  fetch(`${service.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })

test('a request that a database refuses has its cause in the log, and no password', async () => {
  await using service = await startService({
    env: { ...noDrainWindow, DATABASE_URL: `postgres://tally:hunter2@${nowhere}/tally` },
  })
  const { status } = await fetch(`${service.url}/data`, { headers: { 'x-request-id': 'find-me' } })
  expect(status).toBe(503)
  const line = await until(() =>
    service.log.lines.find(({ msg, request_id }) => msg === 'request' && request_id === 'find-me'),
  )
  expect(line).toMatchObject({ level: 'error', status: 503, code: 'store-unavailable' })
  expect(line.cause).toContain('the database cannot be reached')
  expect(service.log.text).not.toContain('hunter2')
})

test('the start line names where data is stored, and a misspelled variable is reported', async () => {
  await using service = await startService({
    env: { ...noDrainWindow, ENVIRONMENT: 'production', DATABASE_URI: 'postgres://user:hunter2@db/tally' },
  })
  const { lines, text } = service.log
  expect(lines.find(({ msg }) => msg === 'listening')).toMatchObject({
    role: 'server',
    pid: service.pid,
    store: 'sqlite',
    queue: 'sqlite',
  })
  const warnings = lines.filter(({ level }) => level === 'warn')
  expect(warnings).toMatchObject([
    { variable: 'DATABASE_URI', meant: 'DATABASE_URL' },
    { store: 'sqlite', queue: 'sqlite' },
  ])
  expect(text).not.toContain('hunter2')
})

for (const [what, env, cause] of [
  ['a schema', { DATA_SCHEMA: '/missing.json' }, 'DATA_SCHEMA cannot be read: ENOENT'],
  ['a certificate', { TLS_CERT: '/missing.pem', TLS_KEY: '/missing.key' }, 'TLS_CERT and TLS_KEY: ENOENT'],
  ['a file of keys', { API_KEYS_FILE: '/missing' }, 'API_KEYS_FILE: ENOENT'],
  ['an address', { HOST: '192.0.2.1' }, 'listening on HOST 192.0.2.1, PORT 0: '],
  ['a data directory', { DATA_DIR: '/dev/null' }, 'DATA_DIR: cannot use /dev/null/tally.db as the database'],
] as const)
  test(`a failed start names what it could not use: ${what}`, async () => {
    const { exitCode, output } = await runService({ env })
    expect(exitCode).toBe(1)
    const line = output.split('\n').find((text) => text.includes('"cannot start"'))
    expect(JSON.parse(line ?? '{}').cause).toContain(cause)
  })

test('every line of several processes on one stream names its process', async () => {
  await using service = await startService({ env: { ...noDrainWindow, WEB_CONCURRENCY: '2' } })
  const listening = () => service.log.lines.filter(({ msg }) => msg === 'listening')
  await until(() => listening().length === 2)
  const servers = listening()
  expect(servers.map(({ role, process }) => [role, process])).toEqual([
    ['server', 1],
    ['server', 2],
  ])
  const supervising = await service.log.line('supervising')
  expect(supervising).toMatchObject({ role: 'supervisor', pid: service.pid })
  expect(servers.map(({ pid }) => pid)).toEqual(supervising.pids as unknown[])
  await fetch(`${service.url}/data`)
  const request = await service.log.line('request')
  expect(servers.map(({ pid, process }) => [pid, process])).toContainEqual([request.pid, request.process])
})

test('a task can be followed from its request to its end, with the client if LOG_FIELDS includes it', async () => {
  await using service = await startService({
    env: { ...noDrainWindow, LOG_FIELDS: 'client_address,path,user_agent', TRUSTED_PROXIES: '127.0.0.0/8' },
  })
  const headers = { 'x-forwarded-for': '192.0.2.7', 'user-agent': 'a test' }
  const response = await post(service, '/v1/tasks?x=secret', { payload: examplePayload }, headers)
  const { task_id } = (await response.json()) as { task_id: string }
  const completed = await service.log.line('task completed')
  expect(completed).toMatchObject({
    level: 'info',
    task_id,
    outcome: 'completed',
    attempt: 1,
    max_attempts: 3,
  })
  expect(completed.duration_ms).toBeNumber()
  const request = await service.log.line('request')
  expect(request).toMatchObject({
    task_id,
    path: '/v1/tasks',
    client_address: '192.0.2.7',
    user_agent: 'a test',
  })
  expect(request).not.toHaveProperty('request_bytes')
})

test('a scrape of an idle service shows no request in flight', async () => {
  const [port = 0] = freePorts(1)
  await using service = await startService({ env: noDrainWindow })
  await using separate = await startService({ env: { ...noDrainWindow, METRICS_PORT: String(port) } })
  expect(separate.alive).toBe(true)
  for (const url of [service.url, `http://127.0.0.1:${port}`]) {
    const series = parseMetrics(await (await fetch(`${url}/metrics`)).text())
    expect(series.get('api_http_requests_in_flight')).toBe(0)
  }
})

test('an unreachable collector is logged once, and its lost spans are counted', async () => {
  await using service = await startService({
    env: {
      ...noDrainWindow,
      TRACING_ENABLED: 'true',
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://${nowhere}`,
      OTEL_EXPORTER_OTLP_TIMEOUT: '100',
      OTEL_BSP_SCHEDULE_DELAY: '10',
    },
  })
  const dropped = async (): Promise<number> => {
    const series = parseMetrics(await (await fetch(`${service.url}/metrics`)).text())
    return series.get('trace_spans_dropped_total') ?? Number.NaN
  }
  const isWarning = ({ msg }: { msg: string }): boolean => msg === 'exporting spans failed'
  await fetch(`${service.url}/data`)
  const warning = await service.log.line('exporting spans failed')
  expect(warning).toMatchObject({ level: 'warn' })
  expect(warning.cause).toBeString()
  const before = await dropped()
  expect(before).toBeGreaterThan(0)
  await fetch(`${service.url}/data`)
  await until(async () => (await dropped()) > before)
  expect(service.log.lines.filter(isWarning)).toHaveLength(1)
})
