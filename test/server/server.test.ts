import { describe, expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseConfig } from '../../src/config.ts'
import { openDatabase } from '../../src/database/open.ts'
import { createLifecycle } from '../../src/lifecycle/index.ts'
import type { StartService } from '../../src/server/run.ts'
import { startServer } from '../../src/server/server.ts'
import { startWorker } from '../../src/server/worker.ts'
import { openTaskQueue } from '../../src/tasks/open.ts'
import { memoryLog } from '../support/memory-log.ts'
import { until } from '../support/until.ts'

/** Starts the server or the worker inside the test's process, on a free port and with its own data directory. */
async function start(startService: StartService, env: Record<string, string> = {}, dataDir?: string) {
  const directory = dataDir ?? (await mkdtemp(join(tmpdir(), 'tally-server-')))
  const parsed = parseConfig({
    PORT: '0',
    WORKER_PORT: '0',
    HOST: '127.0.0.1',
    DRAIN_QUIET: '0s',
    DATA_DIR: directory,
    ...env,
  })
  if (!parsed.ok) throw new Error(parsed.problems.join('; '))
  const lifecycle = createLifecycle()
  const memory = memoryLog()
  const server = await startService(lifecycle, parsed.config, memory)
  return {
    ...memory,
    lifecycle,
    directory,
    url: `http://127.0.0.1:${server.port}`,
    ask: (path: string, body?: unknown) =>
      fetch(new URL(path, `http://127.0.0.1:${server.port}`), {
        method: body === undefined ? 'GET' : 'POST',
        ...(body === undefined
          ? {}
          : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      }),
    async [Symbol.asyncDispose]() {
      await lifecycle.shutdown('test')
      if (dataDir === undefined) await rm(directory, { recursive: true })
    },
  }
}

describe('the server', () => {
  test('serves payloads, documents and tasks without any external service', async () => {
    await using service = await start(startServer)
    const payload = { numbers: [1, 2, 3, 4, 5], text: 'Sample text for analysis' }
    expect((await service.ask('/payload', payload)).status).toBe(200)
    expect((await service.ask('/data', { id: 1 })).status).toBe(201)

    const { task_id } = (await (await service.ask('/tasks', { payload })).json()) as { task_id: string }
    const task = await until(async () => {
      const { task } = (await (await service.ask(`/tasks/${task_id}`)).json()) as {
        task: { status: string; result?: unknown }
      }
      return task.status === 'completed' && task
    })
    expect(task.result).toMatchObject({ numeric_analysis: { mean: 3 }, text_analysis: { word_count: 4 } })
    const metrics = await (await service.ask('/metrics')).text()
    for (const line of [
      'api_tasks_created_total 1',
      'api_documents_created_total 1',
      'worker_tasks_processed_total 1',
      'worker_queue_length 0',
    ])
      expect(metrics).toContain(`${line}\n`)
    expect(await (await service.ask('/ready')).json()).toMatchObject({
      status: 'ready',
      checks: { store: 'ok', queue: 'ok' },
    })
  })

  test('shuts down with exit code 0 and logs it', async () => {
    await using service = await start(startServer)
    await service.ask('/health')
    expect(await service.lifecycle.shutdown('SIGTERM')).toMatchObject({
      exitCode: 0,
      aborted: [],
      errors: [],
    })
    const messages = (await service.messages()).map(({ msg }) => msg)
    expect(messages).toContain('listening')
    expect(messages.at(-1)).toBe('stopped')
    expect(service.ask('/health')).rejects.toThrow()
  })

  test('warns when the shutdown budget exceeds the grace period', async () => {
    await using tight = await start(startServer, { GRACE_PERIOD: '30s' })
    await using wide = await start(startServer, { GRACE_PERIOD: '60s' })
    const warnings = async (service: typeof tight) =>
      (await service.messages()).filter(({ level }) => level === 'warn').map(({ msg }) => msg)
    expect(await warnings(tight)).toEqual(['shutdown budget exceeds the grace period, requests may be lost'])
    expect(await warnings(wide)).toEqual([])
  })

  test('limits documents by MAX_BODY_BYTES too', async () => {
    await using service = await start(startServer, { MAX_BODY_BYTES: '1KiB' })
    const post = (length: number) => service.ask('/data', { a: 'x'.repeat(length) })
    expect((await post(1_000)).status).toBe(201)
    expect((await post(1_100)).status).toBe(413)
  })

  test('validates documents against DATA_SCHEMA', async () => {
    await using service = await start(startServer, { DATA_SCHEMA: 'docs/examples/item.schema.json' })
    expect((await service.ask('/data', { id: 1, name: 'one', value: 1 })).status).toBe(201)
    expect((await service.ask('/data', { id: 2, name: 'two' })).status).toBe(400)
  })
})

describe('the worker', () => {
  test('runs the tasks that a server with WORKER=off accepts, and serves no application routes', async () => {
    await using api = await start(startServer, { WORKER: 'off' })
    const { task_id } = (await (await api.ask('/tasks', { payload: 'two words' })).json()) as {
      task_id: string
    }
    await using worker = await start(startWorker, {}, api.directory)
    await until(async () => (await (await api.ask(`/tasks/${task_id}`)).text()).includes('"completed"'))
    expect((await worker.ask('/health')).status).toBe(200)
    expect((await worker.ask('/ready')).status).toBe(200)
    expect(await (await worker.ask('/metrics')).text()).toContain('worker_tasks_processed_total 1\n')
    expect((await worker.ask('/payload', { numbers: [1], text: 'a' })).status).toBe(404)
    expect(await worker.lifecycle.shutdown('SIGTERM')).toMatchObject({ exitCode: 0 })
  })

  test('stays ready while its queue is paused, shows the pause, and claims nothing', async () => {
    const admin = { ADMIN_TOKEN: 'a token for the operator' }
    await using api = await start(startServer, { WORKER: 'off', ...admin })
    await using worker = await start(startWorker, admin, api.directory)
    const pause = async (paused: boolean, service: typeof api) => {
      const response = await fetch(`${service.url}/admin/queue`, {
        method: 'PUT',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${admin.ADMIN_TOKEN}` },
        body: JSON.stringify({ paused }),
      })
      expect(response.status).toBe(200)
    }
    expect(await (await worker.ask('/ready')).json()).toMatchObject({ checks: { queue_claiming: 'ok' } })
    await pause(true, api)
    const created = await api.ask('/tasks', { payload: 'two words' })
    const { task_id } = (await created.json()) as { task_id: string }
    // A check fails after three failures.
    await until(async () => {
      const response = await worker.ask('/ready')
      expect(response.status).toBe(200)
      const { checks } = (await response.json()) as { checks: Record<string, string> }
      return checks.queue_claiming === 'failing'
    })
    for (const { ask } of [api, worker]) {
      const metrics = await (await ask('/metrics')).text()
      for (const line of ['worker_queue_paused 1', 'worker_queue_tasks{state="waiting"} 1'])
        expect(metrics).toContain(`${line}\n`)
    }
    expect(await (await api.ask('/tasks/stats')).json()).toMatchObject({ waiting: 1, paused: true })
    await pause(false, worker)
    await until(async () => (await (await api.ask(`/tasks/${task_id}`)).text()).includes('"completed"'))
    const { workers } = (await (await api.ask('/tasks/stats')).json()) as { workers: unknown[] }
    expect(workers).toMatchObject([{ concurrency: 4, version: expect.stringMatching(/^\d+\./) }])
  }, 30_000)

  test('releases the tasks of a newer version, which a newer worker runs', async () => {
    await using api = await start(startServer, { WORKER: 'off' })
    await using old = await start(startWorker, {}, api.directory)
    await using stack = new AsyncDisposableStack()
    const database = await openDatabase({ dataDir: api.directory })
    stack.defer(() => database.close())
    const queue = await openTaskQueue(database)
    stack.defer(() => queue.close())
    const { task } = await queue.enqueue({ kind: 'newer', payload: '1' })
    const other = (await (await api.ask('/tasks', { payload: 'two words' })).json()) as { task_id: string }
    await until(async () => (await (await api.ask(`/tasks/${other.task_id}`)).text()).includes('"completed"'))
    const postponed = 'worker_task_runs_total{kind="unknown",outcome="postponed"}'
    await until(async () => (await (await old.ask('/metrics')).text()).includes(postponed))
    await until(async () => {
      const { task: shown } = (await (await api.ask(`/tasks/${task.id}`)).json()) as { task: object }
      return Bun.deepMatch(
        { kind: 'newer', status: 'pending', attempts: 0, error: 'this worker does not know the kind newer' },
        shown,
      )
    })
    const [logged] = (await old.messages()).filter(({ msg }) => msg === 'task postponed')
    expect(logged).toMatchObject({ level: 'warn', kind: 'newer', task_id: task.id })
    // The newer worker, while the old one still runs.
    queue.consume(async () => '"done"', { concurrency: 1, timeoutMs: 1_000 })
    await until(async () => (await (await api.ask(`/tasks/${task.id}`)).text()).includes('"completed"'))
    expect(await queue.find(task.id)).toMatchObject({ attempts: 1, result: '"done"', error: undefined })
  }, 30_000)
})
