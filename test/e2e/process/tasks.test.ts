import { Database } from 'bun:sqlite'
import { describe, expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { havePostgres, startPostgres } from '../../support/postgres.ts'
import { haveRedis, type RedisServer, startRedis } from '../../support/redis.ts'
import { rounds } from '../../support/rounds.ts'
import { noDrainWindow, runService, type Service, startService } from '../../support/service.ts'
import { until } from '../../support/until.ts'
import { openPlannedTasks, type PlannedTasks, type PlannedTasksPlace } from './planned-tasks.ts'
import { type ChaosReport, runChaos } from './task-chaos.ts'

/** Some process starts and some leases, on a busy machine. */
const timeoutMs = 120_000 + rounds * 5_000

/** A killed worker loses its tasks for a second; several kills may hit one task. */
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

async function create({ url }: Service, payload: unknown, kind = 'analysis'): Promise<string> {
  const response = await fetch(`${url}/tasks`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ kind, payload }),
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

async function metric({ url }: Service, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1])
}

/** A payload that takes about half a second, and limits that accept it. */
const long = { numbers: [1], text: 'a b. '.repeat(3_000_000) }
/** Reading many of them at once keeps the event loop busy, which is not under test here. */
const wideLimits = { MAX_TEXT_LENGTH: '20000000', MAX_BODY_BYTES: '32MiB' }

const nothingLost = (tasks: number): Partial<ChaosReport> => ({
  accepted: tasks,
  failed: 0,
  lost: 0,
  doubled: 0,
  wrong: 0,
  wronglyEnded: 0,
  early: 0,
})

/** Adds tasks with priorities and delays, and cancels tasks. */
async function withPlannedTasks(
  place: PlannedTasksPlace,
  run: (planned: PlannedTasks) => Promise<void>,
): Promise<void> {
  const planned = await openPlannedTasks(place)
  try {
    await run(planned)
  } finally {
    await planned.close()
  }
}

describe('tasks posted while API and worker processes are killed with -9', () => {
  test(
    'on SQLite each end once with the correct result',
    () =>
      withDirectory((dataDir) =>
        withPlannedTasks({ dataDir }, async (planned) => {
          const report = await runChaos({
            tasks: 500,
            clients: 8,
            kills: rounds,
            env: { ...quick, DATA_DIR: dataDir },
            planned,
          })
          expect(report).toMatchObject(nothingLost(500))
          expect(report.completed + report.cancelled).toBe(500)
          expect(report.cancelled).toBeGreaterThan(0)
          expect(report.runs).toBeGreaterThanOrEqual(report.completed)
        }),
      ),
    timeoutMs,
  )

  test.skipIf(!haveRedis())(
    'on Redis, which is killed as well, each ends once with the right result',
    () =>
      withRedis((server) =>
        withPlannedTasks({ redisUrl: server.url, dataDir: '.' }, async (planned) => {
          const report = await runChaos({
            tasks: 500,
            clients: 8,
            kills: rounds,
            env: { ...quick, REDIS_URL: server.url, DATABASE_URL: 'sqlite::memory:' },
            outages: {
              count: 1,
              async strike() {
                await server.kill()
                await server.start()
              },
            },
            planned,
          })
          expect(report).toMatchObject(nothingLost(500))
          expect(report.completed + report.cancelled).toBe(500)
          expect(report.cancelled).toBeGreaterThan(0)
        }),
      ),
    timeoutMs,
  )

  test.skipIf(!havePostgres())(
    'in PostgreSQL, which crashes as well, each ends once with the right result',
    async () => {
      const server = await startPostgres()
      try {
        await withPlannedTasks({ url: server.url, dataDir: '.' }, async (planned) => {
          const report = await runChaos({
            tasks: 500,
            clients: 8,
            kills: rounds,
            env: { ...quick, DATABASE_URL: server.url },
            outages: {
              count: 1,
              async strike() {
                await server.crash()
                await server.start()
              },
            },
            planned,
          })
          expect(report).toMatchObject(nothingLost(500))
          expect(report.completed + report.cancelled).toBe(500)
          expect(report.cancelled).toBeGreaterThan(0)
        })
      } finally {
        await server.remove()
      }
    },
    timeoutMs,
  )
})

describe('the worker process', () => {
  test(
    'serves probes, metrics and admin routes, and nothing else',
    () =>
      withDirectory(async (dataDir) => {
        await using worker = await startService({
          program: 'src/worker.ts',
          env: { ...noDrainWindow, DATA_DIR: dataDir },
        })
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
    'is not ready while its queue is unavailable, and the API is; both recover',
    () =>
      withRedis(async (server) => {
        const env = { REDIS_URL: server.url, DATABASE_URL: 'sqlite::memory:' }
        await using worker = await startService({
          program: 'src/worker.ts',
          env: { ...noDrainWindow, ...env },
        })
        await using api = await startService({ env: { ...noDrainWindow, ...env, WORKER: 'off' } })
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
        const refused = await fetch(`${api.url}/tasks`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: '{"payload":"a"}',
        })
        expect(refused.status).toBe(503)
        // Immediately, not after the time limit of a call.
        const line = await until(() => api.log.lines.find(({ status }) => status === 503))
        expect(line).toMatchObject({
          route: '/tasks',
          cause: expect.stringContaining('no connection to Redis'),
        })
        await server.start()
        await until(async () => (await ready(worker)).code === 200)
        const id = await create(api, 'a')
        await until(async () => (await read(api, id)).status === 'completed')
      }),
    timeoutMs,
  )

  test(
    'answers its probes and keeps its leases while it analyses a million numbers at a time',
    () =>
      withDirectory(async (dataDir) => {
        // Short leases and two workers: each claims what the other does not renew.
        const env = { ...wideLimits, DATA_DIR: dataDir, TASK_LEASE: '2s', TASK_ATTEMPTS: '5' }
        await using api = await startService({ env: { ...noDrainWindow, ...env, WORKER: 'off' } })
        const numbers = Array.from({ length: 1_000_000 }, (_, n) => n)
        const ids = await Promise.all(
          Array.from({ length: 6 }, () => create(api, { numbers, text: long.text })),
        )
        const workers = [
          await startService({ program: 'src/worker.ts', env: { ...noDrainWindow, ...env } }),
          await startService({ program: 'src/worker.ts', env: { ...noDrainWindow, ...env } }),
        ] as const
        await using _first = workers[0]
        await using _second = workers[1]
        const processed = async () => {
          const counts = await Promise.all(
            workers.map((worker) => metric(worker, 'worker_tasks_processed_total')),
          )
          return counts.reduce((sum, count) => sum + count, 0)
        }
        let answered = 0
        while ((await processed()) < ids.length) {
          const probes = workers.flatMap(({ url }) => [`${url}/health`, `${url}/ready`])
          // The body names the check that fails.
          for (const response of await Promise.all(probes.map((probe) => fetch(probe))))
            expect({ status: response.status, body: await response.text() }).toMatchObject({ status: 200 })
          answered++
        }
        expect(answered).toBeGreaterThan(10)
        for (const id of ids) {
          const { status, attempts } = (await read(api, id)) as { status: string; attempts: number }
          expect({ status, attempts }).toEqual({ status: 'completed', attempts: 1 })
        }
      }),
    timeoutMs,
  )

  test(
    'a worker that receives SIGTERM in the middle of a task finishes it and claims nothing more',
    () =>
      withDirectory(async (dataDir) => {
        const env = { ...quick, DATA_DIR: dataDir, WORKER_CONCURRENCY: '1', DEBUG_ROUTES: 'true' }
        await using api = await startService({ env: { ...noDrainWindow, ...env, WORKER: 'off' } })
        const sleep = () => create(api, { seconds: 1 }, 'demo')
        const ids = [await sleep(), await sleep(), await sleep()] as const
        const worker = await startService({ program: 'src/worker.ts', env: { ...noDrainWindow, ...env } })
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
    'a worker without the time to finish releases the task with its attempt refunded',
    () =>
      withDirectory(async (dataDir) => {
        const env = {
          DATA_DIR: dataDir,
          SHUTDOWN_TIMEOUT: '0s',
          WORKER_CONCURRENCY: '3',
          DEBUG_ROUTES: 'true',
        }
        await using api = await startService({ env: { ...noDrainWindow, ...env, WORKER: 'off' } })
        const ids = await Promise.all(Array.from({ length: 3 }, () => create(api, { seconds: 2 }, 'demo')))
        const worker = await startService({ program: 'src/worker.ts', env: { ...noDrainWindow, ...env } })
        for (const id of ids) await until(async () => (await read(api, id)).status === 'processing')
        expect(await worker.stop()).toBe(0)
        expect(worker.log.text).toContain('released unfinished tasks')
        const left = await Promise.all(ids.map((id) => read(api, id)))
        for (const one of left) expect(one).toMatchObject({ status: 'pending', attempts: 0 })
        await using _next = await startService({
          program: 'src/worker.ts',
          env: { ...noDrainWindow, ...env },
        })
        for (const id of ids) await until(async () => (await read(api, id)).status === 'completed')
        for (const id of ids) expect((await read(api, id)).attempts).toBe(1)
      }),
    timeoutMs,
  )

  test(
    'three workers replaced one after the other under load lose and duplicate nothing',
    () =>
      withDirectory(async (dataDir) => {
        const env = { ...quick, DATA_DIR: dataDir, TASK_ATTEMPTS: '1', TASK_LEASE: '15s' }
        await using started = new AsyncDisposableStack()
        const start = async (): Promise<Service> =>
          started.use(await startService({ program: 'src/worker.ts', env: { ...noDrainWindow, ...env } }))
        await using api = await startService({ env: { ...noDrainWindow, ...env, WORKER: 'off' } })
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
        // With one attempt each, a task that was aborted instead of finished or released would have failed.
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
    'poison tasks of every kind fail after their attempts, and the others complete meanwhile',
    () =>
      withDirectory(async (dataDir) => {
        const env = {
          DATA_DIR: dataDir,
          WORKER_CONCURRENCY: '1',
          TASK_ATTEMPTS: '2',
          DEBUG_ROUTES: 'true',
        }
        const accepting = await startService({ env: { ...noDrainWindow, ...env, WORKER: 'off' } })
        const endless = await create(accepting, { seconds: 60 }, 'demo')
        const beyondLimits = await create(accepting, { numbers: [1, 2, 3], text: 'a' })
        const throwing = await create(accepting, 'no longer JSON')
        const good = await Promise.all(Array.from({ length: 5 }, () => create(accepting, 'good')))
        await accepting.stop()
        using file = new Database(join(dataDir, 'tally.db'))
        file.run("update task_payloads set payload = '{' where seq = (select seq from tasks where id = ?)", [
          throwing,
        ])
        await using service = await startService({
          env: { ...noDrainWindow, ...env, MAX_NUMBERS: '2', TASK_TIMEOUT: '50ms' },
        })
        for (const id of good) await until(async () => (await read(service, id)).status === 'completed')
        const failed = async (id: string) => {
          const row = () =>
            file
              .query<{ status: string; attempts: number; error: string }, [string]>(
                'select status, attempts, error from tasks where id = ?',
              )
              .get(id)
          await until(() => row()?.status === 'failed')
          return row()
        }
        expect(await failed(endless)).toMatchObject({
          attempts: 2,
          error: expect.stringContaining('timed out'),
        })
        expect(await failed(throwing)).toMatchObject({ attempts: 2, error: expect.stringContaining('JSON') })
        expect(await failed(beyondLimits)).toMatchObject({
          attempts: 1,
          error: expect.stringContaining('numbers'),
        })
        expect((await fetch(`${service.url}/health`)).status).toBe(200)
      }),
    timeoutMs,
  )

  test.skipIf(!haveRedis())(
    'a Redis that forgets is refused in production, unless that is accepted',
    () =>
      withRedis(async (server) => {
        const env = { REDIS_URL: server.url, DATABASE_URL: 'sqlite::memory:', ENVIRONMENT: 'production' }
        const { exitCode, output } = await runService({ env: { ...noDrainWindow, ...env } })
        expect(exitCode).toBe(1)
        expect(output).toContain('REDIS_DURABLE=false')
        await using accepted = await startService({
          env: { ...noDrainWindow, ...env, REDIS_DURABLE: 'false' },
        })
        expect(accepted.log.text).toContain('accepted tasks may be lost')
        const response = await fetch(`${accepted.url}/ready`)
        expect(response.status).toBe(200)
        expect(await response.json()).toMatchObject({ checks: { queue: 'ok', queue_durable: 'failing' } })
      }, false),
    timeoutMs,
  )

  test.skipIf(!haveRedis())(
    'a Redis whose platform keeps the tasks is accepted in production, and shown; one that evicts them is reported',
    () =>
      withRedis(async (server) => {
        const env = {
          ...noDrainWindow,
          REDIS_URL: server.url,
          DATABASE_URL: 'sqlite::memory:',
          ENVIRONMENT: 'production',
          REDIS_DURABLE: 'managed',
        }
        const checkOf = async ({ url }: Service): Promise<string> => {
          const { checks } = (await (await fetch(`${url}/ready`)).json()) as {
            checks: { queue_durable: string }
          }
          return checks.queue_durable
        }
        for (const program of ['src/main.ts', 'src/worker.ts']) {
          await using managed = await startService({ program, env })
          expect(await managed.log.line('listening')).toMatchObject({ queue_durability: 'managed' })
          await until(async () => (await checkOf(managed)) === 'ok')
          expect(await (await fetch(`${managed.url}/ready`)).json()).toMatchObject({
            backends: { queue: 'redis', queue_durability: 'managed' },
          })
          expect(managed.log.text).not.toContain('accepted tasks may be lost')
        }
        await using service = await startService({ env })
        await server.send('CONFIG', 'SET', 'maxmemory', '1gb')
        await server.send('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru')
        await until(async () => (await checkOf(service)) === 'failing')
      }, false),
    timeoutMs,
  )
})
