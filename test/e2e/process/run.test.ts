import { describe, expect, test } from 'bun:test'
import { runService, startService } from '../../support/service.ts'

describe.each(['src/main.ts', 'src/worker.ts'])('the program %s', (program) => {
  test('shuts down in order when its terminal is closed', async () => {
    await using service = await startService({ program, env: { DRAIN_QUIET: '0s' } })
    service.signal('SIGHUP')
    expect(await service.exited).toBe(0)
    expect(service.log.lines.at(-1)).toMatchObject({ msg: 'stopped', reason: 'SIGTERM', exit_code: 0 })
  }, 30_000)

  test('exits 1 and logs the reason when its port is taken', async () => {
    using taken = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
    const port = String(taken.port)
    const { exitCode, output } = await runService({ program, env: { PORT: port, WORKER_PORT: port } })
    expect(exitCode).toBe(1)
    expect(output).toContain('"msg":"cannot start"')
  }, 30_000)
})
