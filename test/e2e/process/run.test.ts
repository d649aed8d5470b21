import { describe, expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Child, spawnChild } from '../../support/child-process.ts'
import { root } from '../../support/root.ts'
import { runService, spawnService, startService } from '../../support/service.ts'
import { until } from '../../support/until.ts'

/** A program that a shell starts after `trap '' SIGNAL`, as `nohup` does for SIGHUP. Resolves when it is ready. */
async function startIgnoring(
  signal: string,
  program: string,
  env: Record<string, string> = {},
): Promise<Child> {
  const folder = await mkdtemp(join(tmpdir(), 'tally-ignoring-'))
  const child = spawnChild({
    command: ['sh', '-c', `trap '' ${signal}; exec "$@"`, 'sh', process.execPath, join(root, program)],
    env: { HOST: '127.0.0.1', PORT: '0', WORKER_PORT: '0', DATA_DIR: folder, DRAIN_QUIET: '0s', ...env },
    cwd: root,
  })
  await child.log.line('listening')
  return Object.assign(child, {
    async [Symbol.asyncDispose]() {
      await child.kill()
      await rm(folder, { recursive: true, force: true, maxRetries: 5 })
    },
  })
}

/** A program whose start waits for a database that never answers. Resolves when it does. */
async function startWaiting(program: string): Promise<Child> {
  const connected = Promise.withResolvers<void>()
  const database = Bun.listen({
    hostname: '127.0.0.1',
    port: 0,
    socket: { open: () => connected.resolve(), data() {} },
  })
  const url = `postgres://tally:tally@127.0.0.1:${database.port}/tally`
  const service = await spawnService({ program, env: { DATABASE_URL: url, DRAIN_QUIET: '0s' } })
  await Promise.race([connected.promise, service.exited])
  return Object.assign(service, {
    async [Symbol.asyncDispose]() {
      await service.kill()
      database.stop(true)
    },
  })
}

describe.each(['src/main.ts', 'src/worker.ts'])('the program %s', (program) => {
  test('shuts down properly when its terminal closes while it starts', async () => {
    await using service = await startWaiting(program)
    service.signal('SIGHUP')
    expect(await service.exited).toBe(0)
    expect(service.log.lines.at(-1)).toMatchObject({ msg: 'stopped', reason: 'SIGTERM', exit_code: 0 })
  }, 60_000)

  test('logs at debug after a SIGUSR2 that it gets while it starts', async () => {
    await using service = await startWaiting(program)
    service.signal('SIGUSR2')
    expect(await service.log.line('settings changed')).toMatchObject({ by: 'SIGUSR2', log_level: 'debug' })
  }, 60_000)

  test('shuts down properly when its terminal closes', async () => {
    await using service = await startService({ program, env: { DRAIN_QUIET: '0s' } })
    service.signal('SIGHUP')
    expect(await service.exited).toBe(0)
    expect(service.log.lines.at(-1)).toMatchObject({ msg: 'stopped', reason: 'SIGTERM', exit_code: 0 })
  }, 30_000)

  test.each(['HUP', 'INT'] as const)(
    'ignores SIG%s where its caller did, as nohup and background jobs do, and still stops at SIGTERM',
    async (signal) => {
      await using service = await startIgnoring(signal, program)
      service.signal(`SIG${signal}`)
      // Handled after it, so the process has seen both.
      service.signal('SIGUSR2')
      await service.log.line('settings changed')
      expect(service.log.text).not.toContain('"draining"')
      service.signal('SIGTERM')
      expect(await service.exited).toBe(0)
    },
    30_000,
  )

  test('exits 1 and logs the reason when its port is taken', async () => {
    using taken = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
    const port = String(taken.port)
    const { exitCode, output } = await runService({ program, env: { PORT: port, WORKER_PORT: port } })
    expect(exitCode).toBe(1)
    expect(output).toContain('"msg":"cannot start"')
  }, 30_000)
})

test('a supervisor under nohup still rolls at SIGHUP, which its processes ignore', async () => {
  await using supervisor = await startIgnoring('HUP', 'src/main.ts', { WEB_CONCURRENCY: '2' })
  await until(() => supervisor.log.lines.filter(({ msg }) => msg === 'listening').length === 2)
  const processIds = (await Bun.file(`/proc/${supervisor.pid}/task/${supervisor.pid}/children`).text())
    .trim()
    .split(' ')
    .map(Number)
  for (const pid of processIds) process.kill(pid, 'SIGHUP')
  supervisor.signal('SIGHUP')
  await supervisor.log.line('rolling restart finished')
  expect(supervisor.log.text).not.toContain('worker process exited, restarting')
  supervisor.signal('SIGTERM')
  expect(await supervisor.exited).toBe(0)
}, 60_000)
