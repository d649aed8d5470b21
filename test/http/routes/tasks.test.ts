import { afterEach, beforeEach, describe, expect, spyOn, test } from 'bun:test'
import { createTaskAnalyzer } from '../../../src/analysis/task-analyzer.ts'
import { type OpenDatabase, openDatabase } from '../../../src/database/open.ts'
import { createApp, type ServiceApp } from '../../../src/http/app.ts'
import { EventStreams } from '../../../src/http/routes/task-events.ts'
import { openTaskQueue } from '../../../src/tasks/open.ts'
import { type Consumer, type TaskQueue, UnrecoverableTask } from '../../../src/tasks/task-queue.ts'
import { appDeps } from '../../support/app-deps.ts'
import { clientByHeader, clientNames } from '../../support/client-by-header.ts'
import { examplePayload } from '../../support/example-payload.ts'
import { listen } from '../../support/listening.ts'
import { parseMetrics } from '../../support/metrics.ts'
import { expectProblem, placesOf } from '../../support/problems.ts'
import { until } from '../../support/until.ts'

const limits = {
  maxNumbers: 10,
  maxTextLength: 100,
  maxBodyBytes: 10_000,
  maxBufferedBytes: 100_000,
  maxDocumentBytes: 10_000,
}

let database: OpenDatabase
let queue: TaskQueue
let app: ServiceApp

beforeEach(async () => {
  database = await openDatabase({ url: 'sqlite::memory:', dataDir: '.' })
  queue = await openTaskQueue(database, { capacity: 200, initialBackoffMs: 1 })
  app = createApp(appDeps({ queue, limits }))
})
afterEach(async () => {
  await queue.close()
  await database.close()
})

/** A POST with a JSON body and its length, like every body over a socket. */
function json(body: unknown, headers: Record<string, string> = {}): RequestInit {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const length = String(Buffer.byteLength(text))
  return {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'content-length': length, ...headers },
    body: text,
  }
}

/** Starts a worker that acts like the real one; `"poison"` always fails. */
function startWorker(): Consumer {
  const analyze = createTaskAnalyzer(limits)
  const handler = async ({ payload }: { payload: string }) => {
    if (payload === '"poison"') throw new UnrecoverableTask('poison')
    return analyze(payload)
  }
  return queue.consume(handler, { concurrency: 2, timeoutMs: 10_000 })
}

interface TaskBody {
  readonly id: string
  readonly kind: string
  readonly priority: number
  readonly run_at: string
  readonly payload: unknown
  readonly status: string
  readonly attempts: number
  readonly created_at: string
  readonly updated_at: string
  readonly result?: unknown
  readonly error?: string
}

async function create(
  payload: unknown,
  headers: Record<string, string> = {},
  schedule: object = {},
): Promise<string> {
  const response = await app.request('/tasks', json({ payload, ...schedule }, headers))
  expect(response.status).toBe(201)
  return ((await response.json()) as { task_id: string }).task_id
}

async function read(id: string): Promise<TaskBody> {
  const response = await app.request(`/tasks/${id}`)
  expect(response.status).toBe(200)
  return ((await response.json()) as { task: TaskBody }).task
}

const midnight = Math.floor(Date.now() / 86_400_000) * 86_400_000
const inDays = (days: number): string => new Date(midnight + days * 86_400_000).toISOString()

const untilEnded = (id: string): Promise<TaskBody> =>
  until(async () => {
    const task = await read(id)
    return task.status === 'completed' || task.status === 'failed' ? task : undefined
  })

describe('creating a task', () => {
  test('responds 201 with its id, status and location', async () => {
    const response = await app.request('/tasks', json({ payload: 'text' }))
    expect(response.status).toBe(201)
    const body = (await response.json()) as { task_id: string; status: string }
    expect(body).toEqual({ task_id: expect.any(String), status: 'pending' })
    expect(response.headers.get('location')).toBe(`/tasks/${body.task_id}`)
    expect(await read(body.task_id)).toMatchObject({ id: body.task_id, payload: 'text', status: 'pending' })
  })

  test('under /v1 has its location under /v1', async () => {
    const response = await app.request('/v1/tasks', json({ payload: 'text' }))
    expect(response.headers.get('location')).toMatch(/^\/v1\/tasks\/[0-9a-f-]{36}$/)
    expect((await app.request(response.headers.get('location') ?? '')).status).toBe(200)
  })

  test('with a payload leads to the result of /payload', async () => {
    startWorker()
    const task = await untilEnded(await create(examplePayload))
    const expected = (await (await app.request('/payload', json(examplePayload))).json()) as Record<
      string,
      unknown
    >
    expect(task.result).toEqual({ ...expected, processing_time_ms: expect.any(Number) })
    expect(task).toMatchObject({ status: 'completed', attempts: 1, payload: examplePayload })
    expect(task).not.toHaveProperty('error')
  })

  test('is the same, or the same refusal, however its body is processed', async () => {
    const debug = createApp(appDeps({ queue, limits, debugRoutes: true }))
    const threaded = createApp(
      appDeps({ queue, debugRoutes: true, limits: { ...limits, largeBodyThreshold: 0 } }),
    )
    const bodies: [body: unknown, expected?: Partial<TaskBody>][] = [
      [{ payload: examplePayload }],
      [{ payload: 'Größe' }, { kind: 'analysis', priority: 5 }],
      [{ payload: 'a', kind: 'analysis', priority: 9 }, { priority: 9 }],
      [
        { payload: 'a', run_at: inDays(29), priority: 0 },
        { priority: 0, run_at: inDays(29) },
      ],
      [{ payload: 'a', delay: '0s' }],
      [{ payload: { seconds: 0 }, kind: 'demo' }, { kind: 'demo' }],
      [{ payload: { seconds: 0, more: 1 }, kind: 'demo', priority: 10 }],
      [{ payload: { numbers: [1, 'x'], text: 'a' } }],
      [{ payload: 'a', run_at: inDays(31), delay: '721h' }],
      [{ payload: 'a', kind: 'other' }],
      [{ payload: 1 }],
      [[]],
    ]
    for (const [n, [body, expected = {}]] of bodies.entries()) {
      // With one key, the first task is returned again only if the fingerprint of the body is the same.
      const key = { 'idempotency-key': `key-${n}` }
      const init = json(body, key)
      const responses = [
        await threaded.request('/tasks', init),
        await debug.request('/tasks', init),
        // Without a length, the body is received in blocks.
        await debug.request('/tasks', { ...init, headers: { 'content-type': 'application/json', ...key } }),
      ]
      const results = await Promise.all(
        responses.map(async (response) => {
          const { request_id: _, ...rest } = (await response.json()) as Record<string, unknown>
          return { status: response.status, rest }
        }),
      )
      expect(new Set(results.map((result) => JSON.stringify(result))).size).toBe(1)
      const [first] = results
      if (first?.status === 201)
        expect(await read(String(first.rest.task_id))).toMatchObject({
          payload: (body as { payload: unknown }).payload,
          ...expected,
        })
    }
  })

  test('with a text leads to the analysis of the text alone', async () => {
    startWorker()
    const { text_analysis } = (await (
      await app.request('/payload', json({ numbers: [1], text: 'A b. C?' }))
    ).json()) as { text_analysis: unknown }
    expect((await untilEnded(await create('A b. C?'))).result).toEqual({ text_analysis })
  })

  test.each([
    [{}, ['/payload missing']],
    [{ payload: 'a', prio: 1, at: 2 }, ['/prio unknown', '/at unknown']],
    [{ payload: '', prio: 1, delay: 1 }, ['/payload too-short', '/delay type', '/prio unknown']],
    [{ payload: 'a', priority: 10 }, ['/priority too-big']],
    [{ payload: 'a', priority: -1 }, ['/priority too-small']],
    [{ payload: 'a', priority: 1.5 }, ['/priority type']],
    [{ payload: 'a', priority: '5' }, ['/priority type']],
    [{ payload: 'a', priority: null }, ['/priority type']],
    [{ payload: 'a', delay: '5' }, ['/delay invalid-format']],
    [{ payload: 'a', delay: '5 s' }, ['/delay invalid-format']],
    [{ payload: 'a', delay: '-5s' }, ['/delay invalid-format']],
    [{ payload: 'a', delay: '1d' }, ['/delay invalid-format']],
    [{ payload: 'a', delay: '721h' }, ['/delay invalid']],
    [{ payload: 'a', delay: `${'9'.repeat(400)}h` }, ['/delay invalid']],
    [{ payload: 'a', run_at: '2026-01-01T00:00:00' }, ['/run_at invalid-format']],
    [{ payload: 'a', run_at: '2026-02-30T00:00:00Z' }, ['/run_at invalid-format']],
    [{ payload: 'a', run_at: '2026-01-01' }, ['/run_at invalid-format']],
    [{ payload: 'a', run_at: 1767225600000 }, ['/run_at type']],
    [{ payload: 'a', run_at: '9999-12-31T23:59:59Z' }, ['/run_at invalid']],
    [{ payload: 'a', run_at: '2026-01-01T00:00:00Z', delay: '1s' }, ['/delay invalid']],
    [{ payload: 'a', kind: 'other' }, ['/kind invalid-value']],
    [{ payload: 'a', kind: 1 }, ['/kind invalid-value']],
    // Without debug routes there are no kinds for debugging.
    [{ payload: { seconds: 1 }, kind: 'demo' }, ['/kind invalid-value']],
    [{ payload: '' }, ['/payload too-short']],
    [{ payload: 'x'.repeat(101) }, ['/payload too-long']],
    [{ payload: null }, ['/payload type']],
    [{ payload: { numbers: [1] } }, ['/payload/text missing']],
    [{ payload: { numbers: [], text: 'a' } }, ['/payload/numbers too-short']],
    [
      { payload: { numbers: [1, '2', null], text: 'a' } },
      ['/payload/numbers/1 type', '/payload/numbers/2 type'],
    ],
    [{ payload: { numbers: Array(11).fill(1), text: 'a' } }, ['/payload/numbers too-long']],
    [{ payload: { numbers: [1], text: 'a', more: 1 } }, ['/payload/more unknown']],
  ])('from %j is refused with the invalid places, and nothing is queued', async (body, places) => {
    const problem = await expectProblem(await app.request('/tasks', json(body)), 400, 'invalid-input')
    expect(placesOf(problem)).toEqual(places)
    expect(await queue.depth()).toBe(0)
  })

  test('from a bare payload is refused with the way to wrap it', async () => {
    const bare = json({ numbers: [1], text: 'a' })
    const problem = await expectProblem(await app.request('/tasks', bare), 400, 'invalid-input')
    expect(problem.detail).toStartWith(
      '/payload is required: send {"payload": {"numbers": […], "text": "…"}}',
    )
    const empty = await expectProblem(await app.request('/tasks', json({})), 400, 'invalid-input')
    expect(empty.detail).toBe('/payload is required')
  })

  test.each([
    ['malformed JSON', json('{'), 400, 'malformed-json'],
    ['another media type', json('{}', { 'content-type': 'text/plain' }), 415, 'unsupported-media-type'],
    ['a body above the limit', json({ payload: 'x'.repeat(11_000) }), 413, 'body-too-large'],
  ])('from %s is refused', async (_, init, status, code) => {
    await expectProblem(await app.request('/tasks', init), status, code)
  })

  test('above the capacity is 429 with Retry-After, and /payload works', async () => {
    await Promise.all(Array.from({ length: 200 }, () => create('text')))
    const response = await app.request('/tasks', json({ payload: 'text' }))
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0)
    expect((await expectProblem(response, 429, 'queue-full')).detail).toContain('200')
    expect((await app.request('/payload', json(examplePayload))).status).toBe(200)
  })

  test('is counted unless it is refused or repeated', async () => {
    await create('text', { 'idempotency-key': 'k' })
    await create('text', { 'idempotency-key': 'k' })
    await app.request('/tasks', json({}))
    const scrape = parseMetrics(await (await app.request('/metrics')).text())
    expect(scrape.get('api_tasks_created_total')).toBe(1)
  })
})

describe('planning a task', () => {
  test('run_at is when it may be claimed, with any UTC offset', async () => {
    for (const [run_at, expected] of [
      [`${inDays(3).slice(0, 19)}+02:00`, new Date(midnight + 3 * 86_400_000 - 7_200_000).toISOString()],
      [inDays(2), inDays(2)],
    ]) {
      const task = await read(await create('text', {}, { run_at }))
      expect(task).toMatchObject({ status: 'pending', run_at: expected })
    }
    expect(await queue.stats()).toMatchObject({ waiting: 0, delayed: 2 })
  })

  test('a past run_at is due at once', async () => {
    const task = await read(await create('text', {}, { run_at: '2020-01-01T00:00:00Z' }))
    expect(task.run_at).toBe(task.created_at)
    startWorker()
    expect(await untilEnded(task.id)).toMatchObject({ status: 'completed' })
  })

  test.each([
    ['1500ms', 1_500],
    ['90s', 90_000],
    ['15m', 900_000],
    ['720h', 2_592_000_000],
  ])('a delay of %s counts from the creation', async (delay, ms) => {
    const { created_at, run_at } = await read(await create('text', {}, { delay }))
    expect(Date.parse(run_at) - Date.parse(created_at)).toBe(ms)
  })

  test('a delayed task runs when its delay is over, and no sooner', async () => {
    startWorker()
    const id = await create('text', {}, { delay: '300ms' })
    const now = await create('text')
    await untilEnded(now)
    expect((await read(id)).status).toBe('pending')
    const task = await untilEnded(id)
    expect(Date.parse(task.updated_at)).toBeGreaterThanOrEqual(Date.parse(task.run_at))
  })

  test('tasks of a high priority run first', async () => {
    const ids = [
      await create('low', {}, { priority: 0 }),
      await create('default'),
      await create('high', {}, { priority: 9 }),
    ]
    const order: string[] = []
    const handler = async ({ payload }: { payload: string }) => {
      order.push(payload)
      return '1'
    }
    queue.consume(handler, { concurrency: 1, timeoutMs: 10_000 })
    for (const id of ids) await untilEnded(id)
    expect(order).toEqual(['"high"', '"default"', '"low"'])
  })

  test('a repeated key gets the same task, with its first plan', async () => {
    const key = { 'idempotency-key': 'planned' }
    const id = await create('text', key, { delay: '1h', priority: 7 })
    const { run_at } = await read(id)
    expect(await create('text', key, { delay: '1h', priority: 7 })).toBe(id)
    expect(await read(id)).toMatchObject({ run_at, priority: 7 })
    const other = json({ payload: 'text', delay: '2h', priority: 7 }, key)
    await expectProblem(await app.request('/tasks', other), 422, 'idempotency-key-reused')
  })
})

describe('cancelling a task', () => {
  const cancel = (id: string) => app.request(`/tasks/${id}`, { method: 'DELETE' })

  test('that waits responds 200 with it, and it never runs', async () => {
    const id = await create('text')
    const response = await cancel(id)
    expect(response.status).toBe(200)
    expect(await response.json()).toMatchObject({ task: { id, status: 'cancelled', attempts: 0 } })
    startWorker()
    await untilEnded(await create('other'))
    expect(await read(id)).toMatchObject({ status: 'cancelled', attempts: 0 })
  })

  test('that runs aborts its run, and its result is not recorded', async () => {
    const { promise: aborted, resolve } = Promise.withResolvers<unknown>()
    queue.consume(
      (_, { signal }) =>
        new Promise((done) => {
          signal.addEventListener('abort', () => resolve(signal.reason))
          signal.addEventListener('abort', () => done('"late"'))
        }),
      { concurrency: 1, timeoutMs: 10_000 },
    )
    const id = await create('text')
    await until(async () => (await read(id)).status === 'processing')
    const response = await cancel(id)
    expect(response.status).toBe(200)
    const { task } = (await response.json()) as { task: TaskBody }
    expect(task).toMatchObject({ status: 'cancelled', attempts: 1 })
    expect(await aborted).toMatchObject({ outcome: 'cancelled' })
    expect(await read(id)).toEqual(task)
    expect(task).not.toHaveProperty('result')
  })

  test('again responds the same', async () => {
    const id = await create('text')
    const first = await (await cancel(id)).text()
    const second = await cancel(id)
    expect([second.status, await second.text()]).toEqual([200, first])
  })

  test('that has ended is 409', async () => {
    startWorker()
    for (const payload of ['text', 'poison']) {
      const id = await create(payload)
      const { status } = await untilEnded(id)
      expect((await expectProblem(await cancel(id), 409, 'task-ended')).detail).toContain(status)
    }
  })

  test('with an unknown id is 404', async () => {
    for (const id of ['x', crypto.randomUUID()]) await expectProblem(await cancel(id), 404, 'not-found')
  })

  test('ends its event stream', async () => {
    await using service = listen({ queue, limits })
    const id = await create('text')
    const events = await fetch(`${service.url}/tasks/${id}/events`)
    await cancel(id)
    expect(await events.text()).toMatch(/"status":"pending".*"status":"cancelled"/s)
  })

  test('is not retrying: a cancelled task stays cancelled', async () => {
    const id = await create('text')
    await cancel(id)
    await expectProblem(await app.request(`/tasks/${id}/retry`, { method: 'POST' }), 409, 'task-not-failed')
  })

  test('filters the list by the status', async () => {
    const id = await create('text')
    await create('other')
    await cancel(id)
    const { tasks } = (await (await app.request('/tasks?status=cancelled')).json()) as { tasks: TaskBody[] }
    expect(tasks.map((task) => task.id)).toEqual([id])
  })
})

describe('the statistics', () => {
  const readStats = async () => (await (await app.request('/tasks/stats')).json()) as Record<string, unknown>

  test('of an empty queue are zero', async () => {
    expect(await readStats()).toEqual({
      waiting: 0,
      delayed: 0,
      processing: 0,
      completed: 0,
      failed: 0,
      cancelled: 0,
      oldest_waiting_seconds: null,
      runs_per_minute: 0,
      paused: false,
      workers: [],
    })
  })

  test('count tasks by state, and show the workers with their running tasks', async () => {
    const worker = { name: 'worker-1', version: '1.2.3' }
    const consumer = queue.consume(
      ({ payload }, { signal }) =>
        payload === '"hold"'
          ? new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
          : Promise.resolve('1'),
      { concurrency: 1, timeoutMs: 10_000, worker },
    )
    await untilEnded(await create('text'))
    const held = await create('hold')
    await until(() => consumer.activeCount === 1)
    await create('waiting')
    await create('later', {}, { delay: '1h' })
    const stats = await readStats()
    expect(stats).toMatchObject({
      waiting: 1,
      delayed: 1,
      processing: 1,
      completed: 1,
      runs_per_minute: 1,
      workers: [{ ...worker, concurrency: 1, task_ids: [held] }],
    })
    expect(stats.oldest_waiting_seconds).toBeWithin(0, 10)
    const [{ seen_at }] = stats.workers as [{ seen_at: string }]
    expect(seen_at).toBe(new Date(seen_at).toISOString())
  })

  test('have no other methods', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
      const response = await app.request('/tasks/stats', { method })
      expect(response.headers.get('allow')).toBe('GET, HEAD')
      await expectProblem(response, 405, 'method-not-allowed')
    }
    const task = await app.request('/tasks/x', { method: 'PUT' })
    expect(task.headers.get('allow')).toBe('GET, HEAD, DELETE')
  })
})

describe('Idempotency-Key', () => {
  const key = { 'idempotency-key': 'k' }

  test('100 concurrent requests with one key create one task and get equal responses', async () => {
    const responses = await Promise.all(
      Array.from({ length: 100 }, () => app.request('/tasks', json({ payload: 'text' }, key))),
    )
    expect(new Set(responses.map(({ status }) => status))).toEqual(new Set([201]))
    expect(new Set(await Promise.all(responses.map((response) => response.text()))).size).toBe(1)
    expect(await queue.depth()).toBe(1)
  })

  test('a repeated request gets the first response, even after the task ended', async () => {
    startWorker()
    const id = await create('text', key)
    await untilEnded(id)
    expect(await create('text', key)).toBe(id)
  })

  test('the same key with another body is 422 and creates no task', async () => {
    await create('text', key)
    await expectProblem(
      await app.request('/tasks', json({ payload: 'other' }, key)),
      422,
      'idempotency-key-reused',
    )
    expect(await queue.depth()).toBe(1)
  })

  test('belongs to its client: API keys, subjects and anonymous clients do not share keys', async () => {
    const shared = createApp(appDeps({ queue, applicationChecks: [clientByHeader] }))
    const post = async (client: string) =>
      (await shared.request('/tasks', json({ payload: 'text' }, { ...key, 'x-test-client': client }))).text()
    const first = await Promise.all(clientNames.map(post))
    expect(new Set(first).size).toBe(clientNames.length)
    expect(await Promise.all(clientNames.map(post))).toEqual(first)
  })

  test.each(['', 'a b', 'ü', 'x'.repeat(256)])('the invalid key %p is refused', async (key) => {
    const response = await app.request('/tasks', json({ payload: 'text' }, { 'idempotency-key': key }))
    await expectProblem(response, 400, 'invalid-header')
  })
})

describe('reading tasks', () => {
  test('times are RFC 3339 in UTC', async () => {
    const task = await read(await create('text'))
    expect(task.created_at).toBe(new Date(task.created_at).toISOString())
    expect(task.updated_at).toBe(task.created_at)
  })

  test('an unknown id is 404', async () => {
    for (const path of ['/tasks/x', `/tasks/${crypto.randomUUID()}`, '/tasks/x/events'])
      await expectProblem(await app.request(path), 404, 'not-found')
    await expectProblem(await app.request('/tasks/x/retry', { method: 'POST' }), 404, 'not-found')
  })

  test('a task shows its kind, priority and when it is due', async () => {
    const task = await read(await create('text'))
    expect(task).toMatchObject({ kind: 'analysis', priority: 5, run_at: task.created_at })
  })

  test('the list is newest first, and its links lead through all pages', async () => {
    const ids: string[] = []
    for (let n = 0; n < 7; n++) ids.push(await create(`${n}`))
    const seen: string[] = []
    let path: string | undefined = '/tasks?limit=3'
    while (path !== undefined) {
      const response = await app.request(path)
      const { tasks } = (await response.json()) as { tasks: TaskBody[] }
      seen.push(...tasks.map(({ id }) => id))
      path = /<([^>]+)>; rel="next"/.exec(response.headers.get('link') ?? '')?.[1]
    }
    expect(seen).toEqual(ids.toReversed())
  })

  test('status filters the list, and stays in the link', async () => {
    startWorker()
    for (const payload of ['poison', 'a', 'poison', 'b']) await untilEnded(await create(payload))
    const response = await app.request('/tasks?status=failed&limit=1')
    const { tasks } = (await response.json()) as { tasks: TaskBody[] }
    expect(tasks).toMatchObject([{ payload: 'poison', status: 'failed', error: 'poison' }])
    expect(response.headers.get('link')).toContain('status=failed')
  })

  test.each([
    ['status=done', '/status'],
    ['limit=0', '/limit'],
    ['limit=1001', '/limit'],
    ['limit=x', '/limit'],
    ['cursor=x', '/cursor'],
    ['page=2', '/page'],
  ])('the query %s is refused and the parameter named', async (query, pointer) => {
    const problem = await expectProblem(await app.request(`/tasks?${query}`), 400, 'invalid-query')
    expect(problem.errors?.map(({ pointer }) => pointer)).toEqual([pointer])
  })
})

describe('retrying a task', () => {
  test('makes a failed task pending again', async () => {
    const consumer = startWorker()
    const id = await create('poison')
    await untilEnded(id)
    await consumer.finish()
    const response = await app.request(`/tasks/${id}/retry`, { method: 'POST' })
    expect(response.status).toBe(200)
    expect(await response.json()).toMatchObject({ task: { id, status: 'pending', attempts: 0 } })
  })

  test('that has not failed is 409', async () => {
    const id = await create('text')
    const response = await app.request(`/tasks/${id}/retry`, { method: 'POST' })
    await expectProblem(response, 409, 'task-not-failed')
  })
})

describe('the event stream', () => {
  const parseStatuses = (text: string): string[] =>
    [...text.matchAll(/^event: task\ndata: (.+)$/gm)].map(
      ([, data = '']) => (JSON.parse(data) as TaskBody).status,
    )

  test('of an ended task has one event, and ends', async () => {
    startWorker()
    const id = await create('text')
    const { result } = await untilEnded(id)
    const response = await app.request(`/tasks/${id}/events`)
    expect(response.headers.get('content-type')).toBe('text/event-stream')
    expect(response.headers.get('x-served-by')).toBe('instance-1')
    const text = await response.text()
    // The reconnection time is not an event, so it is a separate block.
    expect(text).toStartWith('retry: 1000\n\nevent: task\ndata: ')
    expect(text).toEndWith('\n\n')
    expect(parseStatuses(text)).toEqual(['completed'])
    expect(text).toContain(JSON.stringify(result))
  })

  test('of an ended task is 204 for a client that has its last event, so that it stops reconnecting', async () => {
    startWorker()
    const id = await create('text')
    const first = await (await app.request(`/tasks/${id}/events`)).text()
    await untilEnded(id)
    const idOf = (text: string) => [...text.matchAll(/^id: (.+)$/gm)].at(-1)?.[1] ?? ''
    const reconnect = (lastEventId: string) =>
      app.request(`/tasks/${id}/events`, { headers: { 'last-event-id': lastEventId } })
    // The client gets the last event, no matter how many it has missed.
    const last = await (await reconnect('1-pending')).text()
    expect(parseStatuses(last)).toEqual(['completed'])
    expect(parseStatuses(first).at(-1)).toBe('completed')
    for (const seen of [first, last]) {
      const response = await reconnect(idOf(seen))
      expect([response.status, await response.text()]).toEqual([204, ''])
    }
    expect((await app.request(`/tasks/${id}/events`)).status).toBe(200)
  })

  test('continues for a client that has the last event of a task which runs again', async () => {
    await using service = listen({ queue, limits })
    const id = await create('text')
    const events = `${service.url}/tasks/${id}/events`
    const watched = await fetch(events, { headers: { 'last-event-id': '1-failed' } })
    expect(watched.status).toBe(200)
    await watched.body?.cancel()
  })

  test('sends comments often enough for a short idle timeout', async () => {
    expect(new EventStreams().heartbeatIntervalMs).toBe(15_000)
    expect(new EventStreams(120_000).heartbeatIntervalMs).toBe(15_000)
    expect(new EventStreams(8_000).heartbeatIntervalMs).toBe(4_000)
    await using service = listen({ queue, limits, idleTimeoutMs: 20 })
    const id = await create('text')
    const response = await fetch(`${service.url}/tasks/${id}/events`)
    let received = ''
    for await (const chunk of response.body ?? []) {
      received += Buffer.from(chunk).toString()
      if (received.split(': heartbeat\n\n').length > 2) break
    }
    expect(parseStatuses(received)).toEqual(['pending'])
  })

  test('follows a task over a connection until the task ends', async () => {
    await using service = listen({ queue, limits })
    const id = await create('text')
    const response = await fetch(`${service.url}/tasks/${id}/events`)
    startWorker()
    const statuses = parseStatuses(await response.text())
    expect(statuses[0]).toBe('pending')
    expect(statuses.at(-1)).toBe('completed')
    expect(new Set(statuses).size).toBe(statuses.length)
  })

  test('ends properly when the instance drains, and at once for later clients', async () => {
    await using service = listen({ queue, limits })
    const id = await create('text')
    const response = await fetch(`${service.url}/tasks/${id}/events`)
    service.app.endStreams()
    expect(parseStatuses(await response.text())).toEqual(['pending'])
    expect(parseStatuses(await (await fetch(`${service.url}/tasks/${id}/events`)).text())).toEqual([
      'pending',
    ])
  })

  test('is not opened for HEAD, which has no reader', async () => {
    await using service = listen({ queue, limits })
    const id = await create('text')
    using watch = spyOn(queue, 'watch')
    const response = await fetch(`${service.url}/tasks/${id}/events`, { method: 'HEAD' })
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('text/event-stream')
    expect(watch).not.toHaveBeenCalled()
    expect(service.inFlight()).toBe(0)
  })

  test('ends when its client disconnects', async () => {
    await using service = listen({ queue, limits })
    const id = await create('text')
    const controller = new AbortController()
    await fetch(`${service.url}/tasks/${id}/events`, { signal: controller.signal })
    expect(service.inFlight()).toBe(1)
    controller.abort()
    await until(() => service.inFlight() === 0)
  })
})

describe('while the queue is unavailable', () => {
  test('every route of /tasks is 503 with Retry-After, and /payload works', async () => {
    const { request } = createApp(appDeps())
    for (const response of [
      await request('/tasks', json({ payload: 'text' })),
      await request('/tasks'),
      await request('/tasks/x'),
      await request('/tasks/x', { method: 'DELETE' }),
      await request('/tasks/stats'),
      await request('/tasks/x/events'),
      await request('/tasks/x/retry', { method: 'POST' }),
    ]) {
      expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0)
      await expectProblem(response, 503, 'queue-unavailable')
    }
    expect((await request('/payload', json(examplePayload))).status).toBe(200)
  })
})
