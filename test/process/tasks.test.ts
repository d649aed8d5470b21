import { describe, expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { haveRedis, type RedisServer, startRedis } from '../support/redis.ts'
import { until } from '../support/until.ts'
import { failToStart, type Service, startService } from './killable-service.ts'
import { type ChaosReport, runChaos } from './task-chaos.ts'

/** Some starts of processes and some leases, on a busy machine. */
const timeoutMs = 120_000

/** A worker that is killed loses its tasks for a second; one task may meet several kills. */
const quick = { TASK_LEASE: '1s', TASK_ATTEMPTS: '20', ACCESS_LOG: 'false' }

async function withDirectory(run: (dataDir: string) => Promise<void>): Promise<void> {
  const dataDir = await mkdtemp(join(tmpdir(), 'tally-tasks-'))
  try {
    await run(dataDir)
  } finally {
    await rm(dataDir, { recursive: true })
  }
}

async function withRedis(run: (server: RedisServer) => Promise<void>, appendonly = true): Promise<void> {
  const server = await startRedis({ appendonly })
  try {
    await run(server)
  } finally {
    await server.remove()
  }
}

async function create({ url }: Service, payload: unknown): Promise<string> {
  const response = await fetch(`${url}/tasks`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ payload }),
  })
  expect(response.status).toBe(201)
  return ((await response.json()) as { task_id: string }).task_id
}

async function read(
  { url }: Service,
  id: string,
): Promise<{ status: string; attempts: number; error?: string }> {
  const response = await fetch(`${url}/tasks/${id}`)
  expect(response.status).toBe(200)
  return ((await response.json()) as { task: { status: string; attempts: number } }).task
}

/** A payload that takes about half a second, and limits under which it is accepted. */
const long = { numbers: [1], text: 'a b. '.repeat(3_000_000) }
const wideLimits = { MAX_TEXT_LENGTH: '20000000', MAX_BODY_BYTES: '32MiB' }

const nothingLost = (tasks: number): Partial<ChaosReport> => ({
  accepted: tasks,
  completed: tasks,
  failed: 0,
  lost: 0,
  doubled: 0,
  wrong: 0,
})

describe('tasks posted while API and worker processes are killed with -9', () => {
  test(
    'on SQLite each ends once with the right result',
    () =>
      withDirectory(async (dataDir) => {
        const report = await runChaos({
          tasks: 500,
          clients: 8,
          kills: 4,
          env: { ...quick, DATA_DIR: dataDir },
        })
        expect(report).toMatchObject(nothingLost(500))
        expect(report.runs).toBeGreaterThanOrEqual(500)
      }),
    timeoutMs,
  )

  test.skipIf(!haveRedis())(
    'on Redis, which is killed as well, each ends once with the right result',
    () =>
      withRedis(async (server) => {
        const report = await runChaos({
          tasks: 500,
          clients: 8,
          kills: 4,
          env: { ...quick, REDIS_URL: server.url, DATABASE_URL: 'sqlite::memory:' },
          outages: {
            count: 1,
            async strike() {
              await server.kill()
              await server.start()
            },
          },
        })
        expect(report).toMatchObject(nothingLost(500))
      }),
    timeoutMs,
  )
})

describe('the worker process', () => {
  test(
    'says what the platform asks, and nothing else',
    () =>
      withDirectory(async (dataDir) => {
        await using worker = await startService({ DATA_DIR: dataDir }, 'worker.ts')
        const statusOf = async (path: string) => (await fetch(worker.url + path)).status
        for (const path of ['/health', '/ready', '/metrics', '/version'])
          expect(await statusOf(path)).toBe(200)
        for (const path of ['/', '/tasks', '/payload', '/data']) expect(await statusOf(path)).toBe(404)
        expect(await (await fetch(`${worker.url}/ready`)).json()).toMatchObject({ checks: { queue: 'ok' } })
        expect(await (await fetch(`${worker.url}/metrics`)).text()).toContain('\nworker_queue_length 0\n')
      }),
    timeoutMs,
  )

  test.skipIf(!haveRedis())(
    'is not ready while its queue is away, and the API is; both come back',
    () =>
      withRedis(async (server) => {
        const env = { REDIS_URL: server.url, DATABASE_URL: 'sqlite::memory:' }
        await using worker = await startService(env, 'worker.ts')
        await using api = await startService({ ...env, WORKER: 'off' })
        const ready = async ({ url }: Service) => {
          const response = await fetch(`${url}/ready`)
          return { code: response.status, ...((await response.json()) as { reason?: string }) }
        }
        expect((await ready(worker)).code).toBe(200)
        await server.kill()
        await until(async () => (await ready(worker)).code === 503)
        expect(await ready(worker)).toMatchObject({
          reason: 'queue unavailable',
          checks: { queue: 'failing' },
        })
        expect(await ready(api)).toMatchObject({ code: 200, checks: { queue: 'failing' } })
        const start = performance.now()
        const refused = await fetch(`${api.url}/tasks`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: '{"payload":"a"}',
        })
        expect(refused.status).toBe(503)
        expect(performance.now() - start).toBeLessThan(1_000)
        await server.start()
        await until(async () => (await ready(worker)).code === 200)
        const id = await create(api, 'a')
        await until(async () => (await read(api, id)).status === 'completed')
      }),
    timeoutMs,
  )

  test(
    'told to stop in the middle of a task, it finishes that and claims nothing more',
    () =>
      withDirectory(async (dataDir) => {
        const env = { ...quick, ...wideLimits, DATA_DIR: dataDir, WORKER_CONCURRENCY: '1' }
        await using api = await startService({ ...env, WORKER: 'off' })
        const ids = [await create(api, long), await create(api, long), await create(api, long)] as const
        const worker = await startService(env, 'worker.ts')
        await until(async () => (await read(api, ids[0])).status === 'processing')
        expect(await worker.stop()).toBe(0)
        const [first, second, third] = await Promise.all(ids.map((id) => read(api, id)))
        expect(first).toMatchObject({ status: 'completed', attempts: 1 })
        expect(second?.status).not.toBe('processing')
        expect(third).toMatchObject({ status: 'pending', attempts: 0 })
      }),
    timeoutMs,
  )

  test(
    'without the time to finish, it hands the task back with its attempt not spent',
    () =>
      withDirectory(async (dataDir) => {
        const env = { ...wideLimits, DATA_DIR: dataDir, SHUTDOWN_TIMEOUT: '0s', WORKER_CONCURRENCY: '1' }
        await using api = await startService({ ...env, WORKER: 'off' })
        // So many that they cannot all be done between the first look at them and the signal.
        const ids = await Promise.all(Array.from({ length: 16 }, () => create(api, long)))
        const worker = await startService({ ...env, WORKER_CONCURRENCY: '16' }, 'worker.ts')
        await until(async () => (await read(api, ids[0] as string)).status === 'processing')
        expect(await worker.stop()).toBe(0)
        expect(worker.output()).toContain('tasks handed back')
        const left = await Promise.all(ids.map((id) => read(api, id)))
        expect(left.filter(({ status }) => status === 'pending').length).toBeGreaterThan(0)
        for (const { status, attempts } of left)
          expect([status, attempts]).toEqual(status === 'completed' ? ['completed', 1] : ['pending', 0])
        await using _next = await startService(env, 'worker.ts')
        for (const id of ids) await until(async () => (await read(api, id)).status === 'completed')
        for (const id of ids) expect((await read(api, id)).attempts).toBe(1)
      }),
    timeoutMs,
  )

  test(
    'three workers replaced one after the other under load lose and double nothing',
    () =>
      withDirectory(async (dataDir) => {
        const env = { ...quick, DATA_DIR: dataDir, TASK_ATTEMPTS: '1', TASK_LEASE: '15s' }
        await using started = new AsyncDisposableStack()
        const start = async (): Promise<Service> => started.use(await startService(env, 'worker.ts'))
        await using api = await startService({ ...env, WORKER: 'off' })
        const workers = await Promise.all([0, 1, 2].map(start))
        const ids: string[] = []
        let posting = true
        const posters = Array.from({ length: 4 }, async (_, n) => {
          while (posting) ids.push(await create(api, `task of client ${n}`))
        })
        const replaced: number[] = []
        for (const old of workers) {
          const before = ids.length
          await until(() => ids.length > before + 30)
          await start()
          replaced.push(await old.stop())
        }
        posting = false
        await Promise.all(posters)
        expect(replaced).toEqual([0, 0, 0])
        // With one attempt each, a task that was cut instead of finished or handed back would have failed.
        for (const id of ids) {
          await until(async () => (await read(api, id)).status === 'completed')
          expect((await read(api, id)).attempts).toBe(1)
        }
      }),
    timeoutMs,
  )
})

describe('a server with its worker inside', () => {
  test(
    'a poisonous task does not hold up the others',
    () =>
      withDirectory(async (dataDir) => {
        // Accepted under other limits than those of the worker.
        const env = { ...quick, DATA_DIR: dataDir, WORKER_CONCURRENCY: '1' }
        const wide = await startService({ ...env, WORKER: 'off' })
        const poison = await create(wide, 'x'.repeat(2_000))
        const good = await create(wide, 'good')
        await wide.stop()
        await using service = await startService({ ...env, MAX_TEXT_LENGTH: '1000' })
        await until(async () => (await read(service, good)).status === 'completed')
        expect(await read(service, poison)).toMatchObject({
          status: 'failed',
          attempts: 1,
          error: expect.stringContaining('at most 1000'),
        })
      }),
    timeoutMs,
  )

  test(
    'a task that takes too long is aborted and fails, and the others go on',
    () =>
      withDirectory(async (dataDir) => {
        const env = {
          ...wideLimits,
          DATA_DIR: dataDir,
          WORKER_CONCURRENCY: '1',
          TASK_TIMEOUT: '20ms',
          TASK_ATTEMPTS: '1',
        }
        await using service = await startService(env)
        const slow = await create(service, long)
        await until(async () => (await read(service, slow)).status === 'failed')
        expect((await read(service, slow)).error).toContain('not done after')
        expect((await fetch(`${service.url}/health`)).status).toBe(200)
      }),
    timeoutMs,
  )

  test.skipIf(!haveRedis())(
    'a Redis that forgets is refused in production, unless that is accepted',
    () =>
      withRedis(async (server) => {
        const env = { REDIS_URL: server.url, DATABASE_URL: 'sqlite::memory:', ENVIRONMENT: 'production' }
        const { exitCode, output } = await failToStart(env)
        expect(exitCode).toBe(1)
        expect(output).toContain('REDIS_DURABLE=false')
        await using accepted = await startService({ ...env, REDIS_DURABLE: 'false' })
        expect(accepted.output()).toContain('accepted tasks may be lost')
        const response = await fetch(`${accepted.url}/ready`)
        expect(response.status).toBe(200)
        expect(await response.json()).toMatchObject({ checks: { queue: 'ok', queue_durable: 'failing' } })
      }, false),
    timeoutMs,
  )
})
