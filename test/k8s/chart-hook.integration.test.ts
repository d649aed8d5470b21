import { expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { type CommandResult, runCommand } from '../support/command.ts'
import { startService } from '../support/service.ts'
import { chartPath } from './chart.ts'

// The program of `helm test`, against services that are right and wrong. The pod runs it in the same way, by `bun -e`.

const script = await Bun.file(join(chartPath, 'files/test.js')).text()
const timeoutMs = 120_000

function runHook(env: Readonly<Record<string, string>>): Promise<CommandResult> {
  const { PATH, HOME } = process.env
  return runCommand([process.execPath, '-e', script], { env: { PATH, HOME, ...env }, timeoutMs: 100_000 })
}

test(
  'helm test passes for a service whose results are right',
  async () => {
    await using service = await startService({ env: { METRICS_PORT: '0', BASE_PATH: '/below' } })
    const { exitCode, output } = await runHook({ TALLY_URL: `${service.url}/below` })
    expect([exitCode, output]).toEqual([0, expect.stringContaining('the task is completed')])
    expect(output.match(/^ok: /gm)).toHaveLength(7)
  },
  timeoutMs,
)

test(
  'helm test requires a key from clients where there is access control, and uses the one that it has',
  async () => {
    const key = 'a-key-of-the-test-0123456789'
    const hash = createHash('sha256').update(key).digest('hex')
    await using service = await startService({ env: { METRICS_PORT: '0', API_KEYS: `test:${hash}` } })
    const without = await runHook({ TALLY_URL: service.url, ACCESS: 'true' })
    expect([without.exitCode, without.output]).toEqual([0, expect.stringContaining('without a key gets 401')])
    const withKey = await runHook({ TALLY_URL: service.url, ACCESS: 'true', API_KEY: key })
    expect([withKey.exitCode, withKey.output]).toEqual([0, expect.stringContaining('the task is completed')])

    await using open = await startService({ env: { METRICS_PORT: '0' } })
    const { exitCode, output } = await runHook({ TALLY_URL: open.url, ACCESS: 'true' })
    expect([exitCode, output]).toEqual([
      1,
      expect.stringContaining('failed: a client without a key gets 401'),
    ])
  },
  timeoutMs,
)

test(
  'helm test fails for metrics on the port of the clients, and for a wrong result',
  async () => {
    await using exposed = await startService()
    const metrics = await runHook({ TALLY_URL: exposed.url })
    expect([metrics.exitCode, metrics.output]).toEqual([1, expect.stringContaining('failed: /metrics')])

    await using wrong = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      fetch({ url }) {
        if (url.endsWith('/metrics')) return new Response(null, { status: 404 })
        return Response.json({ numeric_analysis: { mean: 3.1 }, text_analysis: { word_count: 4 } })
      },
    })
    const result = await runHook({ TALLY_URL: wrong.url.origin })
    expect([result.exitCode, result.output]).toEqual([1, expect.stringContaining('failed: POST /payload')])
  },
  timeoutMs,
)
