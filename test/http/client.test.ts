import { afterAll, describe, expect, expectTypeOf, test } from 'bun:test'
import { hc, type InferRequestType, type InferResponseType } from 'hono/client'
import type { CompactSummary, Summary } from '../../src/analysis/payload.ts'
import { createTaskAnalyzer } from '../../src/analysis/task-analyzer.ts'
import { openDatabase } from '../../src/database/open.ts'
import { createDocumentStore } from '../../src/documents/open.ts'
import { type AppType, createApp } from '../../src/http/app.ts'
import type { TaskJson } from '../../src/http/routes/task-json.ts'
import { openTaskQueue } from '../../src/tasks/open.ts'
import { UnrecoverableTask } from '../../src/tasks/task-queue.ts'
import { appDeps } from '../support/app-deps.ts'
import { examplePayload } from '../support/example-payload.ts'
import { until } from '../support/until.ts'

// Hono's client knows every application route by its type. `bun run types` checks half of what this file tests.

const database = await openDatabase({ url: 'sqlite::memory:', dataDir: '.' })
const store = createDocumentStore(database)
const queue = await openTaskQueue(database, { initialBackoffMs: 1 })
const deps = appDeps({ store, queue })
const app = createApp(deps)
const client = hc<AppType>('http://localhost', { fetch: app.request })

/** Fails tasks with the text `poison`, and completes all others. */
const analyze = createTaskAnalyzer(deps.limits)
const consumer = queue.consume(
  async ({ payload }) => {
    if (payload === '"poison"') throw new UnrecoverableTask('poison')
    return analyze(payload)
  },
  { concurrency: 1, timeoutMs: 10_000 },
)

afterAll(async () => {
  await consumer.finish()
  await queue.close()
  await store.close()
})

describe.each([
  ['at the root', client],
  ['under /v1', client.v1],
] as const)('the typed client %s', (_, { payload, data, tasks }) => {
  test('analyzes a payload', async () => {
    const response = await payload.$post({ json: examplePayload, query: {} })
    expect(response.status).toBe(200)
    const summary = await response.json()
    expectTypeOf(summary).toEqualTypeOf<Summary | CompactSummary>()
    if (!('numeric_analysis' in summary)) throw new Error('the default format is full')
    expectTypeOf(summary.numeric_analysis.mean).toEqualTypeOf<number>()
    expect(summary.numeric_analysis.mean).toBe(3)
    expect(summary.text_analysis.word_count).toBe(4)
  })

  test('analyzes a payload in the compact format', async () => {
    const response = await payload.$post({ json: examplePayload, query: { format: 'compact' } })
    const summary = await response.json()
    if (!('numeric' in summary)) throw new Error('not compact')
    expectTypeOf(summary.numeric.mean).toEqualTypeOf<number>()
    expect(summary.numeric.mean).toBe(3)
  })

  test('creates, reads, replaces, lists and deletes documents', async () => {
    const created = await data.$post({ json: { name: 'seven', value: 7.5 } })
    expect(created.status).toBe(201)
    const { message, item } = await created.json()
    expectTypeOf(message).toEqualTypeOf<'created'>()
    expectTypeOf(item.id).toEqualTypeOf<string | number | undefined>()
    const id = String(item.id)

    const found = await data[':id'].$get({ param: { id } })
    if (found.status !== 200) throw new Error(`status ${found.status}`)
    expect(await found.json()).toEqual({ id, name: 'seven', value: 7.5 })

    const etag = found.headers.get('etag') ?? ''
    const unchanged = await data[':id'].$get({ param: { id } }, { headers: { 'if-none-match': etag } })
    expect(unchanged.status).toBe(304)

    const replaced = await data[':id'].$put({ param: { id }, json: { name: 'eight' } })
    expectTypeOf(replaced.status).toEqualTypeOf<200 | 201>()
    expect(await replaced.json()).toEqual({ id, name: 'eight' })

    const list = await data.$get({ query: {} })
    expectTypeOf(list.status).toEqualTypeOf<200>()
    expect(await list.json()).toContainEqual({ id, name: 'eight' })
    const page = await data.$get({ query: { limit: '1' } })
    expect(await page.json()).toHaveLength(1)

    const deleted = await data[':id'].$delete({ param: { id } })
    expectTypeOf(deleted.status).toEqualTypeOf<204>()
    expect(deleted.status).toBe(204)
  })

  test('creates, reads, lists, watches and retries tasks', async () => {
    const created = await tasks.$post({ json: { payload: 'poison' } })
    expectTypeOf(created.status).toEqualTypeOf<201>()
    const { task_id: id, status } = await created.json()
    expectTypeOf(status).toEqualTypeOf<'pending'>()
    expect(created.status).toBe(201)

    const failed = await until(async () => {
      const { task } = await (await tasks[':id'].$get({ param: { id } })).json()
      expectTypeOf(task.status).toEqualTypeOf<TaskJson['status']>()
      return task.status === 'failed' && task
    })
    expectTypeOf(failed.attempts).toEqualTypeOf<number>()
    expect(failed).toMatchObject({ id, payload: 'poison', error: 'poison' })

    const list = await tasks.$get({ query: { status: 'failed', limit: '10' } })
    const { tasks: listed } = await list.json()
    expectTypeOf(listed).items.toExtend<{ id: string; created_at: string }>()
    expect(listed.map((task) => task.id)).toContain(id)

    const retried = await tasks[':id'].retry.$post({ param: { id } })
    expectTypeOf(retried.status).toEqualTypeOf<200>()
    expect((await retried.json()).task).toMatchObject({ id, status: 'pending' })

    const events = await tasks[':id'].events.$get({ param: { id } })
    expect(events.headers.get('content-type')).toBe('text/event-stream')
    expect(await events.text()).toContain(`"id":"${id}"`)
  })

  test('plans and cancels tasks, and reads the statistics', async () => {
    const created = await tasks.$post({
      json: { kind: 'analysis', payload: examplePayload, priority: 9, delay: '1h' },
    })
    const { task_id: id } = await created.json()
    const cancelled = await tasks[':id'].$delete({ param: { id } })
    expectTypeOf(cancelled.status).toEqualTypeOf<200>()
    const { task } = await cancelled.json()
    expectTypeOf(task.priority).toEqualTypeOf<number>()
    expect(task).toMatchObject({ id, kind: 'analysis', status: 'cancelled', priority: 9 })

    const stats = await (await tasks.stats.$get()).json()
    expectTypeOf(stats.oldest_waiting_seconds).toEqualTypeOf<number | null>()
    expectTypeOf(stats.workers).items.toExtend<{ name: string; task_ids: readonly string[] }>()
    expect(stats).toMatchObject({ waiting: 0, delayed: 0, paused: false })
  })

  test('creates tasks with a payload', async () => {
    const created = await tasks.$post({ json: { payload: examplePayload } })
    const { task_id: id } = await created.json()
    const events = await tasks[':id'].events.$get({ param: { id } })
    expect(await events.text()).toContain('"numeric_analysis"')
  })
})

test('inputs and outputs have exact types', () => {
  type Analyze = typeof client.payload.$post
  expectTypeOf<InferRequestType<Analyze>['json']>().toEqualTypeOf<{
    numbers: readonly number[]
    text: string
  }>()
  expectTypeOf<InferRequestType<Analyze>['query']>().toEqualTypeOf<{
    format?: 'full' | 'compact' | undefined
  }>()
  expectTypeOf<InferResponseType<Analyze, 200>>().toEqualTypeOf<Summary | CompactSummary>()
  type NewTask = InferRequestType<typeof client.tasks.$post>['json']
  type Analysis = Extract<NewTask, { kind?: 'analysis' | undefined }>
  expectTypeOf<Analysis['payload']>().toEqualTypeOf<string | { numbers: readonly number[]; text: string }>()
  expectTypeOf<Extract<NewTask, { kind: 'demo' }>['payload']['fail']>().toEqualTypeOf<
    'first' | 'always' | 'permanently' | undefined
  >()
  expectTypeOf<NewTask['priority']>().toEqualTypeOf<number | undefined>()
  type Status = InferRequestType<typeof client.tasks.$get>['query']['status']
  expectTypeOf<Status>().toEqualTypeOf<TaskJson['status'] | undefined>()
})

test('invalid requests do not compile', () => {
  const invalid = () => [
    // @ts-expect-error numbers must be numbers
    client.payload.$post({ json: { numbers: ['1'], text: 'a' }, query: {} }),
    // @ts-expect-error text is required
    client.payload.$post({ json: { numbers: [1] }, query: {} }),
    // @ts-expect-error unknown format
    client.payload.$post({ json: examplePayload, query: { format: 'xml' } }),
    // @ts-expect-error a document is an object
    client.data.$post({ json: 'text' }),
    // @ts-expect-error the id of a document is a string or number
    client.data.$post({ json: { id: true } }),
    // @ts-expect-error id is required
    client.data[':id'].$get({ param: {} }),
    // @ts-expect-error limit is text in a query
    client.data.$get({ query: { limit: {} } }),
    // @ts-expect-error unknown parameter
    client.data.$get({ query: { page: '2' } }),
    // @ts-expect-error a payload is a text, or numbers and a text
    client.tasks.$post({ json: { payload: 1 } }),
    // @ts-expect-error unknown kind
    client.tasks.$post({ json: { kind: 'other', payload: 'text' } }),
    // @ts-expect-error the payload of another kind
    client.tasks.$post({ json: { kind: 'demo', payload: 'text' } }),
    // @ts-expect-error a kind other than the default is required
    client.tasks.$post({ json: { payload: { seconds: 1 } } }),
    // @ts-expect-error a priority is a number
    client.tasks.$post({ json: { payload: 'text', priority: 'high' } }),
    // @ts-expect-error a time is text
    client.tasks.$post({ json: { payload: 'text', run_at: 0 } }),
    // @ts-expect-error id is required
    client.tasks[':id'].$delete({}),
    // @ts-expect-error unknown status
    client.tasks.$get({ query: { status: 'done' } }),
    // @ts-expect-error id is required
    client.tasks[':id'].retry.$post({}),
    // @ts-expect-error there is no such route
    client.nothing,
  ]
  // Only compiled: it would send the requests.
  expect(invalid).toBeFunction()
})
