import { afterAll, describe, expect } from 'bun:test'
import { deleteDocuments, newItem } from './documents.ts'
import { expectProblem } from './problems.ts'
import {
  anyInstance,
  askForMetrics,
  expectGrowth,
  expectSomeGrowth,
  metricsUrl,
  parseExposition,
  type Scrape,
  scrape,
  sumOf,
} from './scrapes.ts'
import { type Ask, ask, noMetrics, noWorker, send, settings, uniqueName } from './service.ts'
import { completion } from './task-events.ts'
import { testUnless } from './test-unless.ts'

const own = (name: string): string => settings.metricsPrefix + name
/** Sends a request and returns the name of the instance that answered. */
const instanceOf = async (method: string, path: string, request: Ask = {}): Promise<string> =>
  (await ask(method, path, { ...request, headers: anyInstance })).headers.get('x-served-by') ?? ''
const payload = { numbers: [1, 2, 3], text: 'a b' }

afterAll(deleteDocuments)

describe('GET /metrics', () => {
  testUnless(noMetrics, 'responds in the Prometheus text format, version 0.0.4', async () => {
    const { status, headers, text } = await askForMetrics()
    expect(status).toBe(200)
    expect(headers.get('content-type')).toMatch(/^text\/plain; ?version=0\.0\.4/)
    expect(parseExposition(text).series.length).toBeGreaterThan(10)
  })

  for (const [name, type] of [
    [own('http_requests_total'), 'counter'],
    [own('http_request_duration_seconds'), 'histogram'],
    [own('http_requests_in_flight'), 'gauge'],
    [own('tasks_created_total'), 'counter'],
    [own('documents_created_total'), 'counter'],
    [own('payload_numbers'), 'histogram'],
    [own('payload_text_characters'), 'histogram'],
    [own('requests_served_while_draining_total'), 'counter'],
    ['app_state', 'gauge'],
    ['process_resident_memory_bytes', 'gauge'],
    ['process_cpu_seconds_total', 'counter'],
    ['worker_tasks_processed_total', 'counter'],
    ['worker_tasks_failed_total', 'counter'],
    ['worker_task_processing_duration_seconds', 'histogram'],
    ['worker_queue_length', 'gauge'],
  ] as const)
    testUnless(noMetrics, `has the ${type} ${name}`, async () => {
      expect((await scrape()).types.get(name)).toBe(type)
    })

  testUnless(noMetrics, 'answers HEAD without the metrics', async () => {
    const head = await askForMetrics('HEAD')
    expect({ status: head.status, body: head.text }).toEqual({ status: 200, body: '' })
  })

  const isOpenToAll = settings.metricsToken === undefined ? 'METRICS_TOKEN is not set' : undefined
  testUnless(isOpenToAll, 'responds 401 without the token', async () => {
    expectProblem(await send('GET', metricsUrl, { credentials: false }), 401, 'unauthorized')
  })
})

describe('requests', () => {
  const requests = (labels: Readonly<Record<string, string>>) => (now: Scrape) =>
    sumOf(now, own('http_requests_total'), labels)

  testUnless(noMetrics, 'are counted by method, route and status', async () => {
    const analysis = async () => [await instanceOf('POST', '/payload', { json: payload })]
    await expectGrowth(analysis, requests({ method: 'POST', route: '/payload', status: '200' }))
    const refusal = async () => [await instanceOf('POST', '/payload', { body: '{' })]
    await expectGrowth(refusal, (now) =>
      ['400', '422'].reduce((sum, status) => sum + requests({ route: '/payload', status })(now), 0),
    )
  })

  testUnless(noMetrics, 'are measured in a histogram, each once', async () => {
    const name = `${own('http_request_duration_seconds')}_count`
    await expectGrowth(
      async () => [await instanceOf('POST', '/payload', { json: payload })],
      (now) => sumOf(now, name, { method: 'POST', route: '/payload', status: '200' }),
    )
  })

  testUnless(noMetrics, 'of documents count under one route, never under the id', async () => {
    const id = uniqueName()
    await expectGrowth(
      async () => [await instanceOf('GET', `/data/${id}`)],
      requests({ method: 'GET', route: '/data/:id', status: '404' }),
    )
    expect((await askForMetrics()).text).not.toContain(id)
  })

  testUnless(noMetrics, 'that match no route count under one label, never under their path', async () => {
    const path = `/${uniqueName()}`
    await expectGrowth(
      async () => [await instanceOf('GET', path), await instanceOf('GET', `${path}/2`)],
      requests({ route: 'unmatched', status: '404' }),
    )
    expect((await askForMetrics()).text).not.toContain(path)
  })

  testUnless(noMetrics, 'in flight are a whole number from 0', async () => {
    const inFlight = sumOf(await scrape(), own('http_requests_in_flight'))
    expect(inFlight).toBeGreaterThanOrEqual(0)
    expect(Number.isInteger(inFlight)).toBe(true)
  })

  testUnless(noMetrics, 'fall into cumulative buckets, one of them up to half a second', async () => {
    await ask('POST', '/payload', { json: payload })
    const name = own('http_request_duration_seconds')
    const { series } = await scrape()
    const [first] = series.filter((one) => one.name === `${name}_count`)
    const buckets = series.filter(
      (one) =>
        one.name === `${name}_bucket` &&
        Object.entries(first?.labels ?? {}).every(([key, text]) => one.labels[key] === text),
    )
    expect(buckets.map(({ labels }) => labels.le)).toEqual(expect.arrayContaining(['0.5', '+Inf']))
    const counts = buckets.map(({ value }) => value)
    expect(counts).toEqual(counts.toSorted((a, b) => a - b))
    expect(counts.at(-1)).toBe(first?.value)
  })
})

describe('accepted work', () => {
  testUnless(noMetrics, 'is counted: each document that was created', async () => {
    await expectGrowth(
      async () => [await instanceOf('POST', '/data', { json: newItem() })],
      (now) => sumOf(now, own('documents_created_total')),
    )
  })

  testUnless(noMetrics, 'is counted: each task that was created', async () => {
    await expectGrowth(
      async () => [await instanceOf('POST', '/tasks', { json: { payload: 'counted' } })],
      (now) => sumOf(now, own('tasks_created_total')),
    )
  })

  testUnless(noMetrics, 'is measured by the numbers and the characters of each payload', async () => {
    const analysis = async () => [await instanceOf('POST', '/payload', { json: payload })]
    for (const name of ['payload_numbers', 'payload_text_characters']) {
      await expectGrowth(analysis, (now) => sumOf(now, own(`${name}_count`)))
      // Three numbers and three characters.
      await expectGrowth(analysis, (now) => sumOf(now, own(`${name}_sum`)) / 3)
    }
  })
})

describe('the state of the process', () => {
  testUnless(noMetrics, 'is in app_state: above 0 for ready, 0 for the others', async () => {
    const { series } = await scrape()
    const states = series.filter(({ name }) => name === 'app_state')
    // Each of several processes on one port counts 1.
    expect(states.filter(({ value }) => value !== 0).map(({ labels }) => labels.state)).toEqual(['ready'])
  })
})

describe('tasks', () => {
  const { workerUrl } = settings
  const url = workerUrl === undefined ? metricsUrl : `${workerUrl}/metrics`
  const unseen = workerUrl === undefined ? noMetrics : undefined
  const runTask = async () => {
    const accepted = await ask('POST', '/tasks', { json: { payload: 'counted' } })
    await completion(accepted.json<{ task_id: string }>().task_id)
  }

  for (const name of ['worker_tasks_processed_total', 'worker_task_processing_duration_seconds_count'])
    testUnless(noWorker ?? unseen, `that complete increase ${name}`, async () => {
      await expectSomeGrowth(runTask, (now) => sumOf(now, name), url)
    })

  testUnless(unseen, 'that wait are counted in worker_queue_length', async () => {
    const { series } = await scrape(url)
    const lengths = series.filter(({ name }) => name === 'worker_queue_length').map(({ value }) => value)
    expect(lengths).toHaveLength(1)
    expect(lengths[0]).toBeGreaterThanOrEqual(0)
  })

  const worked = settings.hasWorker ? 'a worker runs tasks here' : undefined
  testUnless(worked ?? unseen, 'that no worker runs stay in worker_queue_length', async () => {
    await ask('POST', '/tasks', { json: { payload: 'waiting' } })
    expect(sumOf(await scrape(url), 'worker_queue_length')).toBeGreaterThanOrEqual(1)
  })
})
