import { describe, expect, test } from 'bun:test'
import { spawnService, startService } from '../../support/service-process.ts'

describe.each(['src/main.ts', 'src/worker.ts'])('the program %s', (program) => {
  test('shuts down in order when its terminal is closed', async () => {
    await using service = await startService({ program, env: { WORKER_PORT: '0', DRAIN_QUIET: '0s' } })
    service.signal('SIGHUP')
    expect(await service.exited).toBe(0)
    expect(service.lines.at(-1)).toMatchObject({ msg: 'stopped', reason: 'SIGTERM', exit_code: 0 })
  }, 30_000)

  test('exits 1 and logs the reason when its port is taken', async () => {
    using taken = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
    await using spawned = await spawnService({
      program,
      env: { PORT: String(taken.port), WORKER_PORT: String(taken.port) },
    })
    expect(await spawned.child.exited).toBe(1)
    expect(await spawned.child.stdout.text()).toContain('"msg":"cannot start"')
  }, 30_000)
})
