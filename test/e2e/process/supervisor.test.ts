import { describe, expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Supervisor, type SupervisorOptions } from '../../../src/cluster/supervisor.ts'
import { liveSettings } from '../../support/live.ts'
import { memoryLog } from '../../support/memory-log.ts'
import { programFile } from '../../support/service.ts'
import { until } from '../../support/until.ts'

const command = [process.execPath, programFile()]

/** A supervisor in this process, with its servers as worker processes. */
async function supervise(env: Record<string, string> = {}, options: Partial<SupervisorOptions> = {}) {
  const directory = await mkdtemp(join(tmpdir(), 'tally-supervisor-'))
  const memory = memoryLog()
  const live = liveSettings({ logLevel: 'error' })
  const supervisor = new Supervisor({
    count: 2,
    command,
    env: {
      PATH: process.env.PATH,
      HOST: '127.0.0.1',
      PORT: '0',
      DATA_DIR: directory,
      DRAIN_QUIET: '200ms',
      LOG_LEVEL: 'error',
      DEBUG_ROUTES: 'true',
      ...env,
    },
    log: memory.log,
    settings: live,
    ...options,
  })
  await supervisor.start()
  return {
    ...memory,
    live,
    supervisor,
    ask: (path: string) =>
      fetch(`http://127.0.0.1:${supervisor.port}${path}`, { headers: { connection: 'close' } }),
    countLogged: async (message: string) =>
      (await memory.messages()).filter(({ msg }) => msg === message).length,
    async [Symbol.asyncDispose]() {
      supervisor.drain()
      await supervisor.exited().catch(() => {})
      await rm(directory, { recursive: true })
    },
  }
}

describe('a supervisor', () => {
  test('adds up the metrics of all its processes, also of those that it has replaced', async () => {
    await using service = await supervise()
    for (let i = 0; i < 10; i++) expect((await service.ask('/version')).status).toBe(200)
    await service.supervisor.rollingRestart()
    expect(await service.countLogged('rolling restart finished')).toBe(1)
    for (let i = 0; i < 10; i++) expect((await service.ask('/version')).status).toBe(200)
    const metrics = await (await service.ask('/metrics')).text()
    expect(metrics).toContain('api_http_requests_total{method="GET",route="/version",status="200"} 20\n')
    expect(metrics).toContain('app_state{state="ready"} 2\n')
  }, 30_000)

  test('replaces a process that ends because of an uncaught error, while it still drains', async () => {
    await using service = await supervise()
    expect((await service.ask('/debug/crash')).status).toBe(202)
    await until(async () => (await service.countLogged('worker process started')) === 1)
    expect(await service.countLogged('worker process is shutting down by itself, replacing it')).toBe(1)
    expect((await service.ask('/health')).status).toBe(200)
  }, 30_000)

  test('applies the settings in all processes, also in those that start later', async () => {
    await using service = await supervise()
    await service.live.change({ enabled: false }, 'test')
    for (let i = 0; i < 10; i++) expect((await service.ask('/ready')).status).toBe(503)
    await service.supervisor.rollingRestart()
    for (let i = 0; i < 10; i++) expect((await service.ask('/ready')).status).toBe(503)
    await service.live.change({ enabled: true }, 'test')
    for (let i = 0; i < 10; i++) expect((await service.ask('/ready')).status).toBe(200)
  }, 30_000)

  test('resolves when all processes have exited with 0, and rejects when one has not', async () => {
    const service = await supervise()
    service.supervisor.drain()
    await service.supervisor.exited()

    await using killed = await supervise()
    expect(killed.supervisor.kill()).toHaveLength(2)
    killed.supervisor.drain()
    expect(killed.supervisor.exited()).rejects.toThrow('a worker process exited with')
  }, 30_000)

  test('does not start when its processes cannot start', async () => {
    expect(supervise({ PORT: 'none' })).rejects.toThrow('a worker process exited with 78 before it listened')
  }, 30_000)
})
