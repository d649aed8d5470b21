import { describe, expect, test } from 'bun:test'
import { expectProblem, pointersOf } from './problems.ts'
import {
  type Answer,
  ask,
  invalidStatus,
  maxNumbers,
  noWorker,
  resolve,
  settings,
  uniqueName,
} from './service.ts'
import { completion, readTask, type Task, watchTask } from './task-events.ts'
import { testUnless } from './test-unless.ts'

// Tasks cannot be deleted. Those of this suite expire after TASK_TTL.

/** Longer than the timeout of a task, so that a test fails with its own message. */
const testTimeoutMs = 90_000

const text = 'Sample text for analysis'
const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/

async function createTask(payload: unknown = text, headers: Record<string, string> = {}): Promise<string> {
  const answer = await ask('POST', '/tasks', { json: { payload }, headers })
  expect({ status: answer.status, text: answer.text }).toEqual({ status: 201, text: answer.text })
  return answer.json<{ task_id: string }>().task_id
}

const completedTask = async (payload?: unknown): Promise<Task> => completion(await createTask(payload))

describe('POST /tasks', () => {
  test('responds 201 with the id, a UUID, the status pending and a Location', async () => {
    const answer = await ask('POST', '/tasks', { json: { payload: text } })
    expect(answer.status).toBe(201)
    const { task_id: id, status } = answer.json<{ task_id: string; status: string }>()
    expect(id).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
    expect(status).toBe('pending')
    expect(resolve(answer.headers.get('location'))).toEndWith(`/tasks/${id}`)
    expect((await ask('GET', resolve(answer.headers.get('location')))).status).toBe(200)
  })

  for (const [what, body, pointers] of [
    ['a body without a payload', '{}', ['/payload']],
    ['an empty payload', '{"payload": ""}', ['/payload']],
    ['a payload that is null', '{"payload": null}', ['/payload']],
    ['a payload that is a number', '{"payload": 5}', ['/payload']],
    ['a payload without text', '{"payload": {"numbers": [1]}}', ['/payload/text']],
    ['a payload without numbers', '{"payload": {"text": "a"}}', ['/payload/numbers']],
    [
      'a wrong number in the payload',
      '{"payload": {"numbers": [1, "2"], "text": "a"}}',
      ['/payload/numbers/1'],
    ],
    ['a number beyond a double', '{"payload": {"numbers": [1e400], "text": "a"}}', ['/payload/numbers/0']],
    [
      'an unknown member of the payload',
      '{"payload": {"numbers": [1], "text": "a", "x": 1}}',
      ['/payload/x'],
    ],
    ['an unknown member', '{"payload": "a", "prio": 1}', ['/prio']],
    ['an array', '[]', ['']],
  ] as const)
    test(`rejects ${what} and names ${pointers[0] || 'the body'}`, async () => {
      const problem = expectProblem(await ask('POST', '/tasks', { body }), invalidStatus, 'invalid-input')
      expect(pointersOf(problem)).toEqual([...pointers])
    })

  test('rejects malformed JSON with a problem', async () => {
    expectProblem(await ask('POST', '/tasks', { body: '{"payload"' }), invalidStatus, 'malformed-json')
  })

  test('rejects media types other than JSON with 415', async () => {
    const headers = { 'content-type': 'text/plain' }
    expectProblem(
      await ask('POST', '/tasks', { json: { payload: text }, headers }),
      415,
      'unsupported-media-type',
    )
  })
})

describe('Idempotency-Key on POST /tasks', () => {
  test('makes a repetition safe: the response has the same task', async () => {
    const headers = { 'idempotency-key': uniqueName() }
    const first = await ask('POST', '/tasks', { json: { payload: text }, headers })
    const second = await ask('POST', '/tasks', { json: { payload: text }, headers })
    expect(first.status).toBe(201)
    expect({ status: second.status, text: second.text }).toEqual({ status: 201, text: first.text })
  })

  test('creates one task for simultaneous repetitions', async () => {
    const headers = { 'idempotency-key': uniqueName() }
    const ids = await Promise.all(Array.from({ length: 8 }, () => createTask(text, headers)))
    expect(new Set(ids).size).toBe(1)
  })

  test('is rejected with 422 when the payload differs', async () => {
    const headers = { 'idempotency-key': uniqueName() }
    await createTask(text, headers)
    const answer = await ask('POST', '/tasks', { json: { payload: 'another text' }, headers })
    expectProblem(answer, 422, 'idempotency-key-reused')
  })
})

describe('GET /tasks/{id}', () => {
  test('responds with the payload, status and times of the task in UTC', async () => {
    const payload = { numbers: [1, 2, 3], text: 'a b' }
    const id = await createTask(payload)
    const task = await readTask(id)
    expect(task).toMatchObject({ id, payload })
    expect(['pending', 'processing', 'completed']).toContain(task.status)
    expect(task.created_at).toMatch(time)
    expect(task.updated_at).toMatch(time)
    expect(Date.parse(task.updated_at)).toBeGreaterThanOrEqual(Date.parse(task.created_at))
  })

  for (const id of [crypto.randomUUID(), 'no-uuid'])
    test(`responds 404 with a problem to an unknown id: ${id.length === 36 ? 'a UUID' : id}`, async () => {
      expectProblem(await ask('GET', `/tasks/${id}`), 404, 'not-found')
      expectProblem(await ask('GET', `/tasks/${id}/events`), 404, 'not-found')
      expectProblem(await ask('POST', `/tasks/${id}/retry`), 404, 'not-found')
    })
})

describe('a task', () => {
  const few = maxNumbers < 100_000 ? `at most ${maxNumbers} numbers are taken` : undefined

  testUnless(
    noWorker,
    'with a text alone is completed, and its result is the analysis of the text',
    async () => {
      const task = await completedTask(text)
      expect(task.result).toEqual({
        text_analysis: {
          word_count: 4,
          character_count: 24,
          character_count_no_spaces: 21,
          sentence_count: 1,
          paragraph_count: 1,
        },
      })
      expect(task.attempts).toBeGreaterThanOrEqual(1)
    },
    testTimeoutMs,
  )

  testUnless(
    noWorker,
    'with numbers and a text is completed, and its result is the answer of POST /payload',
    async () => {
      const payload = { numbers: [2, 4, 4, 4, 5, 5, 7, 9], text: 'One. Two!' }
      const { result } = await completedTask(payload)
      const answer = (await ask('POST', '/payload', { json: payload })).json<object>()
      expect({ ...result, processing_time_ms: 0 }).toEqual({ ...answer, processing_time_ms: 0 })
    },
    testTimeoutMs,
  )

  testUnless(
    noWorker ?? few,
    'of half a megabyte is completed like a small one',
    async () => {
      const payload = { numbers: Array.from({ length: 100_000 }, (_, i) => i), text: 'large' }
      const { result } = await completedTask(payload)
      expect(result).toMatchObject({ numeric_analysis: { count: 100_000, mean: 49_999.5 } })
    },
    testTimeoutMs,
  )

  testUnless(
    noWorker,
    'goes from pending over processing to completed and never back, by its events',
    async () => {
      const states = await watchTask(await createTask())
      const order = ['pending', 'processing', 'completed']
      const steps = states.map(({ status }) => order.indexOf(status))
      expect(steps).toEqual(steps.toSorted())
      expect(steps.at(-1)).toBe(2)
    },
    testTimeoutMs,
  )

  testUnless(
    noWorker,
    'that is completed is answered by its events at once, and its stream ends',
    async () => {
      const { id } = await completedTask()
      expect((await watchTask(id)).map(({ status }) => status)).toEqual(['completed'])
    },
    testTimeoutMs,
  )

  testUnless(
    noWorker,
    'that is completed stays as it is, and cannot be retried: 409',
    async () => {
      const task = await completedTask()
      expectProblem(await ask('POST', `/tasks/${task.id}/retry`), 409, 'task-not-failed')
      expect(await readTask(task.id)).toEqual(task)
    },
    testTimeoutMs,
  )

  testUnless(
    noWorker,
    'is not lost among others: each of 25 simultaneous ones is completed with its own result',
    async () => {
      const tasks = await Promise.all(
        Array.from({ length: 25 }, (_, i) => completedTask({ numbers: [i, i + 2], text: 'a' })),
      )
      expect(tasks.map(({ result }) => result?.numeric_analysis?.mean)).toEqual(
        Array.from({ length: 25 }, (_, i) => i + 1),
      )
      expect(new Set(tasks.map(({ id }) => id)).size).toBe(25)
    },
    testTimeoutMs,
  )

  testUnless(
    settings.hasWorker ? 'a worker runs tasks here' : undefined,
    'is accepted and waits without a worker, and cannot be retried: 409',
    async () => {
      const id = await createTask()
      expectProblem(await ask('POST', `/tasks/${id}/retry`), 409, 'task-not-failed')
      expect(await readTask(id)).toMatchObject({ status: 'pending', attempts: 0 })
    },
  )
})

describe('GET /tasks', () => {
  /** How many pages of the list to read in a service in use. */
  const maxPages = 20

  test('responds with an object that has the tasks, newest first', async () => {
    const older = await createTask('older')
    const newer = await createTask('newer')
    const answer = await ask('GET', '/tasks?limit=1000')
    expect(answer.status).toBe(200)
    const { tasks } = answer.json<{ tasks: Task[] }>()
    // Ignores tasks of other clients: instances that add tasks at the same time differ by milliseconds in created_at.
    const own = tasks.map(({ id }) => id).filter((id) => id === older || id === newer)
    expect(own).toEqual([newer, older])
  })

  test('pages by limit and the cursor in Link without repetition', async () => {
    for (let i = 0; i < 5; i++) await createTask(`listed ${i}`)
    const listed: string[] = []
    let next: string | undefined = '/tasks?limit=2'
    let pages = 0
    for (; next !== undefined && pages < maxPages; pages++) {
      const page: Answer = await ask('GET', next)
      expect(page.status).toBe(200)
      const { tasks } = page.json<{ tasks: Task[] }>()
      expect(tasks.length).toBeLessThanOrEqual(2)
      listed.push(...tasks.map(({ id }) => id))
      const link = /^<([^>]+)>; rel="next"$/.exec(page.headers.get('link') ?? '')?.[1]
      next = link === undefined ? undefined : resolve(link)
    }
    expect(pages).toBeGreaterThanOrEqual(3)
    expect(new Set(listed).size).toBe(listed.length)
  })

  for (const status of ['pending', 'processing', 'completed', 'failed'])
    test(`responds only with ${status} tasks to ?status=${status}`, async () => {
      const { tasks } = (await ask('GET', `/tasks?limit=20&status=${status}`)).json<{ tasks: Task[] }>()
      for (const task of tasks) expect(task.status).toBe(status as Task['status'])
    })

  for (const query of ['status=done', 'limit=0', 'limit=1001', 'cursor=nonsense', 'order=name'])
    test(`rejects ?${query} and names the parameter`, async () => {
      const problem = expectProblem(await ask('GET', `/tasks?${query}`), 400, 'invalid-query')
      expect(pointersOf(problem)).toEqual([`/${query.split('=')[0]}`])
    })
})
