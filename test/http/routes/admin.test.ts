import { describe, expect, test } from 'bun:test'
import { openDatabase } from '../../../src/database/open.ts'
import { createApp, createManagementApp } from '../../../src/http/app.ts'
import type { AdminDeps } from '../../../src/http/routes/admin.ts'
import { openTaskQueue } from '../../../src/tasks/open.ts'
import { UnrecoverableTask } from '../../../src/tasks/task-queue.ts'
import { adminDeps } from '../../support/admin-deps.ts'
import { absentQueue, appDeps } from '../../support/app-deps.ts'
import { liveSettings } from '../../support/live.ts'
import { expectProblem } from '../../support/problems.ts'
import { until } from '../../support/until.ts'

const json = { 'content-type': 'application/json', 'x-request-id': 'by-hand' }

/** An app with admin routes, the settings that they change, and the changes made so far. */
function createAdminApp({ canInjectFaults = true, token, queue = absentQueue }: Partial<AdminDeps> = {}) {
  const live = liveSettings()
  const changes: [change: object, by: string][] = []
  const { request } = createManagementApp(
    appDeps({
      admin: adminDeps({
        canInjectFaults,
        token,
        queue,
        settings: {
          ...live,
          get current() {
            return live.current
          },
          async change(change, by) {
            changes.push([change, by])
            await live.change(change, by)
          },
        },
      }),
    }),
  )
  return { live, request, changes }
}

describe('admin routes', () => {
  test('do not exist unless they are configured', async () => {
    for (const app of [createApp(appDeps()), createManagementApp(appDeps())])
      for (const [method, path] of [
        ['POST', '/ready/disable'],
        ['GET', '/admin/log-level'],
        ['GET', '/admin/faults'],
        ['POST', '/debug/heap'],
        ['PUT', '/admin/queue'],
        ['POST', '/admin/tasks/retry'],
      ] as const)
        await expectProblem(await app.request(path, { method }), 404, 'not-found')
    const retry = { method: 'POST' }
    await expectProblem(await createManagementApp(appDeps()).request('/tasks/retry', retry), 404, 'not-found')
    // Here the path is that of the task `retry`.
    const response = await createApp(appDeps()).request('/tasks/retry?status=failed', retry)
    await expectProblem(response, 405, 'method-not-allowed')
    expect(response.headers.get('allow')).toBe('GET, HEAD, DELETE')
  })

  test('take the instance out of rotation and put it back', async () => {
    const { live, request } = createAdminApp()
    for (const [action, enabled] of [
      ['disable', false],
      ['disable', false],
      ['enable', true],
    ] as const) {
      const response = await request(`/ready/${action}`, { method: 'POST' })
      expect([response.status, await response.json()]).toEqual([200, { enabled }])
      expect(live.current.enabled).toBe(enabled)
    }
  })

  test('show and change the log level, and record which request changed it', async () => {
    const { live, request, changes } = createAdminApp()
    expect(await (await request('/admin/log-level')).json()).toEqual({ level: 'info' })
    const response = await request('/admin/log-level', {
      method: 'PUT',
      headers: json,
      body: '{"level":"debug"}',
    })
    expect([response.status, await response.json()]).toEqual([200, { level: 'debug' }])
    expect(live.current.logLevel).toBe('debug')
    expect(changes).toEqual([[{ logLevel: 'debug' }, 'request by-hand']])
  })

  test('set faults as a whole: omitted ones are off', async () => {
    const { live, request } = createAdminApp()
    const put = (faults: object) =>
      request('/admin/faults', { method: 'PUT', headers: json, body: JSON.stringify(faults) })
    await put({ error_rate: 0.5, delay_ms: 100 })
    const all = { error_rate: 0, error_status: 500, delay_rate: 1, delay_ms: 0, delay_jitter_ms: 0 }
    const response = await put({ error_status: 500 })
    expect([response.status, await response.json()]).toEqual([200, all])
    expect(await (await request('/admin/faults')).json()).toEqual(all)
    const cleared = await request('/admin/faults', { method: 'DELETE' })
    expect(await cleared.json()).toEqual({ ...all, error_status: 503 })
    expect(live.current.faults.error_status).toBe(503)
  })

  test('refuse an invalid setting, name its place, and change nothing', async () => {
    const { request, changes } = createAdminApp()
    for (const [path, body, pointer] of [
      ['/admin/log-level', { level: 'verbose' }, '/level'],
      ['/admin/log-level', {}, '/level'],
      ['/admin/faults', { error_rate: 1.5 }, '/error_rate'],
      ['/admin/faults', { error_status: 200 }, '/error_status'],
      ['/admin/faults', { delay_ms: -1 }, '/delay_ms'],
      ['/admin/faults', { delay_ms: 1e9 }, '/delay_ms'],
      ['/admin/faults', { delay: 5 }, '/delay'],
    ] as const) {
      const response = await request(path, { method: 'PUT', headers: json, body: JSON.stringify(body) })
      const problem = await expectProblem(response, 400, 'invalid-input')
      expect(problem.errors?.map((error) => error.pointer)).toEqual([pointer])
    }
    expect(changes).toEqual([])
  })

  test('refuse bodies of another media type, malformed ones and large ones, and change nothing', async () => {
    const { request, changes } = createAdminApp()
    for (const [headers, body, status, code] of [
      [{ 'content-type': 'text/plain' }, '{"level":"debug"}', 415, 'unsupported-media-type'],
      [json, '{', 400, 'malformed-json'],
      [json, `{"level":"debug"}${' '.repeat(16 * 1024)}`, 413, 'body-too-large'],
    ] as const)
      await expectProblem(await request('/admin/log-level', { method: 'PUT', headers, body }), status, code)
    expect(changes).toEqual([])
  })

  test('do not offer faults where there are no application routes', async () => {
    const { request } = createAdminApp({ canInjectFaults: false })
    await expectProblem(await request('/admin/faults'), 404, 'not-found')
    expect((await request('/ready/disable', { method: 'POST' })).status).toBe(200)
  })
})

describe('the queue', () => {
  const openQueue = async (stack: AsyncDisposableStack) => {
    const database = await openDatabase({ url: 'sqlite::memory:', dataDir: '.' })
    stack.defer(() => database.close())
    const queue = await openTaskQueue(database, { initialBackoffMs: 1 })
    stack.defer(() => queue.close())
    return queue
  }
  const put = (body: unknown) => ({ method: 'PUT', headers: json, body: JSON.stringify(body) })

  test('is paused and resumed', async () => {
    await using stack = new AsyncDisposableStack()
    const queue = await openQueue(stack)
    const { request } = createAdminApp({ queue })
    expect(await (await request('/admin/queue')).json()).toEqual({ paused: false })
    for (const paused of [true, true, false]) {
      const response = await request('/admin/queue', put({ paused }))
      expect([response.status, await response.json()]).toEqual([200, { paused }])
      expect((await queue.stats()).paused).toBe(paused)
      expect(await (await request('/admin/queue')).json()).toEqual({ paused })
    }
  })

  test('has all its failed tasks retried, and no others', async () => {
    await using stack = new AsyncDisposableStack()
    const queue = await openQueue(stack)
    const { request } = createAdminApp({ queue })
    const consumer = queue.consume(
      async ({ payload }) => {
        if (payload === '"bad"') throw new UnrecoverableTask('no')
        return '1'
      },
      { concurrency: 1, timeoutMs: 1_000 },
    )
    for (const payload of ['"bad"', '"good"', '"bad"']) await queue.enqueue({ kind: 'analysis', payload })
    await until(async () => {
      const { failed, completed } = await queue.stats()
      return failed === 2 && completed === 1
    })
    await consumer.finish()
    for (const retried of [2, 0]) {
      const response = await request('/tasks/retry?status=failed', { method: 'POST' })
      expect([response.status, await response.json()]).toEqual([200, { retried }])
    }
    expect(await queue.stats()).toMatchObject({ failed: 0, waiting: 2, completed: 1 })
  })

  test('retries failed tasks beside the routes of the application, for the operator alone', async () => {
    await using stack = new AsyncDisposableStack()
    const queue = await openQueue(stack)
    const forbidden = { code: 'forbidden', detail: 'Not for clients.' } as const
    for (const basePath of ['', '/tally']) {
      const { request } = createApp(
        appDeps({
          basePath,
          queue,
          admin: adminDeps({ queue, token: 'operator-token' }),
          cors: { origins: ['https://page.example'] },
          applicationChecks: [({ headers }) => (headers.has('x-api-key') ? undefined : forbidden)],
        }),
      )
      const post = (path: string, headers: Record<string, string>) =>
        request(`${path}?status=failed`, { method: 'POST', headers })
      const operator = { authorization: 'Bearer operator-token' }
      for (const path of new Set(['/tasks/retry', `${basePath}/tasks/retry`])) {
        expect(await (await post(path, operator)).json()).toEqual({ retried: 0 })
        await expectProblem(await post(path, { 'x-api-key': 'client' }), 401, 'unauthorized')
        const page = { ...operator, origin: 'https://page.example' }
        await expectProblem(await post(path, page), 403, 'forbidden')
        for (const method of ['GET', 'PUT', 'DELETE', 'OPTIONS']) {
          const headers = { ...page, 'access-control-request-method': 'POST' }
          const response = await request(path, { method, headers })
          expect(response.headers.get('access-control-allow-origin')).toBeNull()
          await expectProblem(response, 405, 'method-not-allowed')
          expect(response.headers.get('allow')).toBe('POST')
        }
      }
      // Not an application route: it has no version.
      await expectProblem(await post(`${basePath}/v1/tasks/retry`, operator), 405, 'method-not-allowed')
    }
  })

  test('refuses unknown members, and names them', async () => {
    const { request } = createAdminApp()
    for (const [path, init, code, pointer] of [
      ['/admin/queue', put({}), 'invalid-input', '/paused'],
      ['/admin/queue', put({ paused: 'yes' }), 'invalid-input', '/paused'],
      ['/admin/queue', put({ paused: true, for: '1h' }), 'invalid-input', '/for'],
      ['/tasks/retry', { method: 'POST' }, 'invalid-query', '/status'],
      ['/tasks/retry?status=completed', { method: 'POST' }, 'invalid-query', '/status'],
      ['/tasks/retry?status=', { method: 'POST' }, 'invalid-query', '/status'],
      ['/tasks/retry?status=failed&status=completed', { method: 'POST' }, 'invalid-query', '/status'],
      ['/tasks/retry?status=failed&limit=1', { method: 'POST' }, 'invalid-query', '/limit'],
    ] as const) {
      const problem = await expectProblem(await request(path, init), 400, code)
      expect(problem.errors?.map((error) => error.pointer)).toEqual([pointer])
    }
  })

  test('that is unavailable is 503', async () => {
    const { request } = createAdminApp()
    for (const [path, init] of [
      ['/admin/queue', {}],
      ['/admin/queue', put({ paused: true })],
      ['/tasks/retry?status=failed', { method: 'POST' }],
    ] as const)
      await expectProblem(await request(path, init), 503, 'queue-unavailable')
  })
})

describe('access to admin routes', () => {
  const routes = [
    ['POST', '/ready/enable'],
    ['POST', '/ready/disable'],
    ['GET', '/admin/log-level'],
    ['PUT', '/admin/log-level'],
    ['GET', '/admin/faults'],
    ['PUT', '/admin/faults'],
    ['DELETE', '/admin/faults'],
    ['POST', '/debug/heap'],
    ['GET', '/admin/queue'],
    ['PUT', '/admin/queue'],
    ['POST', '/tasks/retry?status=failed'],
  ] as const

  test('with a token, every admin route requires it', async () => {
    const { request, changes } = createAdminApp({ token: 'operator-token' })
    for (const [method, path] of routes)
      for (const authorization of [undefined, 'Bearer other-token', 'Basic operator-token']) {
        const headers = authorization === undefined ? {} : { authorization }
        await expectProblem(await request(path, { method, headers }), 401, 'unauthorized')
      }
    expect(changes).toEqual([])
    const headers = { authorization: 'Bearer operator-token' }
    expect((await request('/ready/disable', { method: 'POST', headers })).status).toBe(200)
  })

  test('probes need no token', async () => {
    const { request } = createAdminApp({ token: 'operator-token' })
    for (const path of ['/health', '/ready', '/version', '/metrics'])
      expect({ path, status: (await request(path)).status }).toEqual({ path, status: 200 })
  })

  test('every admin route refuses pages of other sites', async () => {
    const { request, changes } = createAdminApp()
    for (const [method, path] of routes)
      for (const headers of [
        { host: 'localhost', origin: 'https://elsewhere.example' },
        { host: 'localhost', origin: 'null' },
        { 'sec-fetch-site': 'cross-site' },
        // Another host of the same domain.
        { 'sec-fetch-site': 'same-site' },
      ])
        await expectProblem(await request(path, { method, headers }), 403, 'forbidden')
    expect(changes).toEqual([])
    const headers = { host: 'localhost', origin: 'http://localhost', 'sec-fetch-site': 'same-origin' }
    expect((await request('/ready/disable', { method: 'POST', headers })).status).toBe(200)
  })

  test('without a token, every admin route refuses a name that may be rebound to this address', async () => {
    const { request, changes } = createAdminApp()
    for (const [method, path] of routes)
      for (const host of [
        'attacker.example:9091',
        'attacker.example',
        'localhost.attacker.example:9091',
        '127.0.0.1.attacker.example',
        'attacker-127.0.0.1',
        'tally',
      ]) {
        const headers = { host, origin: `http://${host}`, 'sec-fetch-site': 'same-origin' }
        await expectProblem(await request(path, { method, headers }), 403, 'forbidden')
        await expectProblem(await request(path, { method, headers: { host } }), 403, 'forbidden')
      }
    expect(changes).toEqual([])
  })

  test('without a token, they answer to addresses and localhost', async () => {
    const { request } = createAdminApp()
    for (const host of [
      'localhost',
      'LOCALHOST:9091',
      '127.0.0.1:9091',
      '10.1.2.3',
      '[::1]:9091',
      '[fd00::1]',
    ])
      expect((await request('/admin/log-level', { headers: { host } })).status).toBe(200)
  })

  test('with a token, they answer to any name', async () => {
    const { request } = createAdminApp({ token: 'operator-token' })
    const headers = { host: 'tally.example', authorization: 'Bearer operator-token' }
    expect((await request('/admin/log-level', { headers })).status).toBe(200)
  })

  test('probes and metrics answer to any name', async () => {
    const { request } = createAdminApp()
    for (const path of ['/health', '/ready', '/version', '/metrics'])
      expect((await request(path, { headers: { host: 'tally.example' } })).status).toBe(200)
  })
})
