import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createTaskAnalyzer } from '../../../src/analysis/task-analyzer.ts'
import { type OpenDatabase, openDatabase } from '../../../src/database/open.ts'
import { createApp, type ServiceApp } from '../../../src/http/app.ts'
import { openQueue } from '../../../src/tasks/open.ts'
import { type Consumer, type TaskQueue, UnrecoverableTask } from '../../../src/tasks/task-queue.ts'
import { appOptions } from '../../support/app-options.ts'
import { listen } from '../../support/listening.ts'
import { parseMetrics } from '../../support/metrics.ts'
import { expectProblem, placesOf } from '../../support/problems.ts'
import { examplePayload, post, request } from '../../support/requests.ts'
import { until } from '../../support/until.ts'

const limits = {
  maxNumbers: 10,
  maxTextLength: 100,
  bodyBytesMax: 10_000,
  heldBytesMax: 100_000,
  documentBytesMax: 10_000,
}

let directory: string
let database: OpenDatabase
let queue: TaskQueue
let app: ServiceApp

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tally-tasks-'))
  database = await openDatabase({ dataDir: directory })
  queue = await openTaskQueue(database, { capacity: 200, initialBackoffMs: 1 })
  app = createApp(appOptions({ queue, limits }))
})
afterEach(async () => {
  await queue.close()
  await database.close()
  await rm(directory, { recursive: true })
})

const ask = (asked: Request): Promise<Response> => Promise.resolve(app.fetch(asked))
const get = (path: string): Promise<Response> => ask(request(path))

/** A worker that does what the real one does; `"poison"` cannot be done. */
function work(): Consumer {
  const analyse = createTaskAnalyzer(limits)
  const handler = async ({ payload }: { payload: string }) => {
    if (payload === '"poison"') throw new UnrecoverableTask('poison')
    return analyse(payload)
  }
  return queue.consume(handler, { concurrency: 2, timeoutMs: 10_000 })
}

interface TaskBody {
  readonly id: string
  readonly payload: unknown
  readonly status: string
  readonly attempts: number
  readonly created_at: string
  readonly updated_at: string
  readonly result?: unknown
  readonly error?: string
}

async function create(payload: unknown, headers: Record<string, string> = {}): Promise<string> {
  const response = await ask(post('/tasks', { payload }, headers))
  expect(response.status).toBe(201)
  return ((await response.json()) as { task_id: string }).task_id
}

async function read(id: string): Promise<TaskBody> {
  const response = await get(`/tasks/${id}`)
  expect(response.status).toBe(200)
  return ((await response.json()) as { task: TaskBody }).task
}

const ended = (id: string): Promise<TaskBody> =>
  until(async () => {
    const task = await read(id)
    return task.status === 'completed' || task.status === 'failed' ? task : undefined
  })

describe('creating a task', () => {
  test('answers 201 with its id, its status and its place', async () => {
    const response = await ask(post('/tasks', { payload: 'text' }))
    expect(response.status).toBe(201)
    const body = (await response.json()) as { task_id: string; status: string }
    expect(body).toEqual({ task_id: expect.any(String), status: 'pending' })
    expect(response.headers.get('location')).toBe(`/tasks/${body.task_id}`)
    expect(await read(body.task_id)).toMatchObject({ id: body.task_id, payload: 'text', status: 'pending' })
  })

  test('under /v1 it has its place there', async () => {
    const response = await ask(post('/v1/tasks', { payload: 'text' }))
    expect(response.headers.get('location')).toMatch(/^\/v1\/tasks\/[0-9a-f-]{36}$/)
    expect((await get(response.headers.get('location') ?? '')).status).toBe(200)
  })

  test('of a payload, its result is what /payload answers', async () => {
    work()
    const task = await ended(await create(examplePayload))
    const answered = (await (await ask(post('/payload', examplePayload))).json()) as Record<string, unknown>
    expect(task.result).toEqual({ ...answered, processing_time_ms: expect.any(Number) })
    expect(task).toMatchObject({ status: 'completed', attempts: 1, payload: examplePayload })
    expect(task).not.toHaveProperty('error')
  })

  test('whose body goes to a thread is the same task, and the same refusal', async () => {
    const there = createApp(appOptions({ queue, limits: { ...limits, bytesFrom: 0 } }))
    const send = async (app: ServiceApp, body: unknown) => {
      const length = String(Buffer.byteLength(JSON.stringify(body)))
      const headers = { 'content-length': length, 'idempotency-key': `key of ${length}` }
      const response = await app.fetch(post('/tasks', body, headers))
      const { request_id: _, ...answer } = (await response.json()) as Record<string, unknown>
      return { status: response.status, answer }
    }
    for (const body of [
      { payload: examplePayload },
      { payload: 'Größe' },
      { payload: { numbers: [1, 'x'], text: 'a' } },
      { payload: 1 },
      [],
    ]) {
      const first = await send(there, body)
      // The same key: it is the first task again only if the body has the same fingerprint on both ways.
      expect(await send(app, body)).toEqual(first)
      if (first.status === 201)
        expect((await read(String(first.answer.task_id))).payload).toEqual(
          (body as { payload: unknown }).payload,
        )
    }
  })

  test('of a text, its result is the analysis of the text alone', async () => {
    work()
    const { text_analysis } = (await (
      await ask(post('/payload', { numbers: [1], text: 'A b. C?' }))
    ).json()) as { text_analysis: unknown }
    expect((await ended(await create('A b. C?'))).result).toEqual({ text_analysis })
  })

  test.each([
    [{}, ['/payload missing']],
    [{ payload: 'a', priority: 1 }, ['/priority unknown']],
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
  ])('%j is refused with the places that are wrong, and nothing is accepted', async (body, places) => {
    const problem = await expectProblem(await ask(post('/tasks', body)), 400, 'invalid-input')
    expect(placesOf(problem)).toEqual(places)
    expect(await queue.depth()).toBe(0)
  })

  test.each([
    ['what is no JSON', post('/tasks', '{'), 400, 'malformed-json'],
    ['another media type', post('/tasks', '{}', { 'content-type': 'text/plain' }), 415, 'not-json'],
    ['too large a body', post('/tasks', { payload: 'x'.repeat(11_000) }), 413, 'body-too-large'],
  ])('%s is refused', async (_, asked, status, code) => {
    await expectProblem(await ask(asked), status, code)
  })

  test('one task more than may wait is 429 with Retry-After, and /payload still answers', async () => {
    await Promise.all(Array.from({ length: 200 }, () => create('text')))
    const response = await ask(post('/tasks', { payload: 'text' }))
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0)
    expect((await expectProblem(response, 429, 'queue-full')).detail).toContain('200')
    expect((await ask(post('/payload', examplePayload))).status).toBe(200)
  })

  test('counts accepted tasks, and not those that are refused or repeated', async () => {
    await create('text', { 'idempotency-key': 'k' })
    await create('text', { 'idempotency-key': 'k' })
    await ask(post('/tasks', {}))
    const scrape = parseMetrics(await (await get('/metrics')).text())
    expect(scrape.get('api_tasks_created_total')).toBe(1)
  })
})

describe('Idempotency-Key', () => {
  const key = { 'idempotency-key': 'k' }

  test('100 requests at once with one key make one task and get one answer', async () => {
    const responses = await Promise.all(
      Array.from({ length: 100 }, () => ask(post('/tasks', { payload: 'text' }, key))),
    )
    expect(new Set(responses.map(({ status }) => status))).toEqual(new Set([201]))
    expect(new Set(await Promise.all(responses.map((response) => response.text()))).size).toBe(1)
    expect(await queue.depth()).toBe(1)
  })

  test('the first answer comes again after the task has ended', async () => {
    work()
    const id = await create('text', key)
    await ended(id)
    expect(await create('text', key)).toBe(id)
  })

  test('the same key with another body is 422, and no task', async () => {
    await create('text', key)
    await expectProblem(await ask(post('/tasks', { payload: 'other' }, key)), 422, 'idempotency-key-reused')
    expect(await queue.depth()).toBe(1)
  })

  test.each(['', 'a b', 'ü', 'x'.repeat(256)])('the key %p is refused', async (bad) => {
    const response = await ask(post('/tasks', { payload: 'text' }, { 'idempotency-key': bad }))
    await expectProblem(response, 400, 'invalid-header')
  })
})

describe('reading tasks', () => {
  test('times are RFC 3339 in UTC', async () => {
    const task = await read(await create('text'))
    expect(task.created_at).toBe(new Date(task.created_at).toISOString())
    expect(task.updated_at).toBe(task.created_at)
  })

  test('an id that nobody was given is 404', async () => {
    for (const path of ['/tasks/x', `/tasks/${crypto.randomUUID()}`, '/tasks/x/events'])
      await expectProblem(await get(path), 404, 'not-found')
    await expectProblem(await ask(request('/tasks/x/retry', { method: 'POST' })), 404, 'not-found')
  })

  test('the list is newest first, and its links lead through all of it', async () => {
    const ids: string[] = []
    for (let n = 0; n < 7; n++) ids.push(await create(`${n}`))
    const seen: string[] = []
    let path: string | undefined = '/tasks?limit=3'
    while (path !== undefined) {
      const response = await get(path)
      const { tasks } = (await response.json()) as { tasks: TaskBody[] }
      seen.push(...tasks.map(({ id }) => id))
      path = /<([^>]+)>; rel="next"/.exec(response.headers.get('link') ?? '')?.[1]
    }
    expect(seen).toEqual(ids.toReversed())
  })

  test('status picks, and stays in the link', async () => {
    work()
    for (const payload of ['poison', 'a', 'poison', 'b']) await ended(await create(payload))
    const response = await get('/tasks?status=failed&limit=1')
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
  ])('the query %s is refused', async (query, pointer) => {
    const problem = await expectProblem(await get(`/tasks?${query}`), 400, 'invalid-query')
    expect(problem.errors?.map(({ pointer }) => pointer)).toEqual([pointer])
  })
})

describe('retrying', () => {
  test('a failed task is pending again', async () => {
    const consumer = work()
    const id = await create('poison')
    await ended(id)
    await consumer.finish()
    const response = await ask(request(`/tasks/${id}/retry`, { method: 'POST' }))
    expect(response.status).toBe(200)
    expect(await response.json()).toMatchObject({ task: { id, status: 'pending', attempts: 0 } })
  })

  test('a task that has not failed is 409', async () => {
    const id = await create('text')
    const response = await ask(request(`/tasks/${id}/retry`, { method: 'POST' }))
    await expectProblem(response, 409, 'task-not-failed')
  })
})

describe('events', () => {
  const statusesIn = (text: string): string[] =>
    [...text.matchAll(/^event: task\ndata: (.+)$/gm)].map(
      ([, data = '']) => (JSON.parse(data) as TaskBody).status,
    )

  test('of an ended task are one, and the stream ends', async () => {
    work()
    const id = await create('text')
    const { result } = await ended(id)
    const response = await get(`/tasks/${id}/events`)
    expect(response.headers.get('content-type')).toBe('text/event-stream')
    expect(response.headers.get('x-served-by')).toBe('instance-1')
    const text = await response.text()
    expect(statusesIn(text)).toEqual(['completed'])
    expect(text).toContain(JSON.stringify(result))
  })

  test('follow a task until it has ended, over a connection', async () => {
    await using service = listen({ queue, limits })
    const id = await create('text')
    const response = await fetch(`${service.url}/tasks/${id}/events`)
    work()
    const statuses = statusesIn(await response.text())
    expect(statuses[0]).toBe('pending')
    expect(statuses.at(-1)).toBe('completed')
    expect(new Set(statuses).size).toBe(statuses.length)
  })

  test('end completely when the instance drains, and at once for those that come then', async () => {
    await using service = listen({ queue, limits })
    const id = await create('text')
    const response = await fetch(`${service.url}/tasks/${id}/events`)
    service.app.endStreams()
    expect(statusesIn(await response.text())).toEqual(['pending'])
    expect(statusesIn(await (await fetch(`${service.url}/tasks/${id}/events`)).text())).toEqual(['pending'])
  })

  test('a client that leaves is forgotten', async () => {
    await using service = listen({ queue, limits })
    const id = await create('text')
    const controller = new AbortController()
    await fetch(`${service.url}/tasks/${id}/events`, { signal: controller.signal })
    expect(service.inFlight()).toBe(1)
    controller.abort()
    await until(() => service.inFlight() === 0)
  })
})

describe('while the queue is away', () => {
  test('every route of /tasks is 503 with Retry-After, and /payload works', async () => {
    const apart = createApp(appOptions())
    for (const asked of [
      post('/tasks', { payload: 'text' }),
      request('/tasks'),
      request('/tasks/x'),
      request('/tasks/x/events'),
      request('/tasks/x/retry', { method: 'POST' }),
    ]) {
      const response = await apart.fetch(asked)
      expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0)
      await expectProblem(response, 503, 'queue-unavailable')
    }
    expect((await apart.fetch(post('/payload', examplePayload))).status).toBe(200)
  })
})
