import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hashKey } from '../../../src/http/middleware/api-keys.ts'
import { haveOpenssl, makeCertificate } from '../../support/certificates.ts'
import { runCommand } from '../../support/command.ts'
import { freePort } from '../../support/free-ports.ts'
import { startService } from '../../support/service.ts'
import { casesOf, failuresOf, runConformance } from '../conformance/run.ts'

setDefaultTimeout(180_000)

/** Runs the suite, expects it to pass, and returns the reasons for skipped cases. */
async function conform(baseUrl: string, env: Readonly<Record<string, string>> = {}): Promise<Set<string>> {
  const result = await runConformance(baseUrl, env)
  expect(failuresOf(result)).toEqual([])
  expect(result.passed).toBeGreaterThan(200)
  return new Set(casesOf(result, 'skip').map((title) => /\[left out: (.*)\]$/.exec(title)?.[1] ?? title))
}

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tally-conformance-'))
})
afterAll(() => rm(directory, { recursive: true }))

describe('the service conforms to its contract', () => {
  test('without any configuration', async () => {
    await using service = await startService()
    expect(await conform(service.url)).toEqual(
      new Set([
        'CORS_ORIGIN allows no other origin',
        'the service requires no credentials',
        'the service has no admin routes at this address',
        'WORKER_URL names none',
        'METRICS_TOKEN is not set',
        'a worker runs tasks here',
        'any object is a document here (no DATA_SCHEMA)',
      ]),
    )
  })

  test.skipIf(!haveOpenssl())('with keys, a rate, TLS, a base path, tokens, CORS and a schema', async () => {
    const certificate = await makeCertificate('conformance')
    const files = { TLS_CERT: join(directory, 'tls.crt'), TLS_KEY: join(directory, 'tls.key') }
    await Promise.all([
      Bun.write(files.TLS_CERT, certificate.cert),
      Bun.write(files.TLS_KEY, certificate.key),
    ])
    const [apiKey, adminToken, metricsToken] = Array.from({ length: 3 }, () => crypto.randomUUID())
    await using service = await startService({
      env: {
        ...files,
        API_KEYS: `conformance:${hashKey(apiKey ?? '').toHex()}`,
        ADMIN_TOKEN: adminToken ?? '',
        METRICS_TOKEN: metricsToken ?? '',
        METRICS_PREFIX: 'tally_',
        RATE_LIMIT: '500/1s',
        BASE_PATH: '/tally',
        CORS_ORIGIN: '*',
        DATA_SCHEMA: 'docs/examples/item.schema.json',
        VALIDATION_STATUS: '422',
        WEB_CONCURRENCY: '2',
      },
    })
    const left = await conform(`https://127.0.0.1:${service.port}/tally`, {
      INSECURE: '1',
      API_KEY: apiKey ?? '',
      ADMIN_TOKEN: adminToken ?? '',
      METRICS_TOKEN: metricsToken ?? '',
      METRICS_PREFIX: 'tally_',
    })
    expect(left).toEqual(
      new Set(['WORKER_URL names none', 'a worker runs tasks here', 'DATA_SCHEMA restricts documents']),
    )
  })

  test('with metrics on a separate port and a separate worker', async () => {
    const metricsPort = freePort()
    const database = { DATABASE_URL: `sqlite:${join(directory, 'shared.db')}` }
    await using service = await startService({
      env: { ...database, WORKER: 'off', METRICS_PORT: `${metricsPort}`, PAYLOAD_FAST_PATH: 'false' },
    })
    const { url } = service
    const metrics = { METRICS_URL: `http://127.0.0.1:${metricsPort}` }

    const alone = await conform(url, { ...metrics, WORKER: 'off' })
    expect(alone).toContain('WORKER=off: nothing runs tasks')

    await using worker = await startService({
      program: 'src/worker.ts',
      env: database,
    })
    const together = await conform(url, { ...metrics, WORKER_URL: worker.url })
    expect(together).not.toContain('WORKER=off: nothing runs tasks')
    expect(together).not.toContain('WORKER_URL names none')
  })
})

describe('the suite', () => {
  test('fails when another program answers', async () => {
    using other = Bun.serve({ port: 0, fetch: () => Response.json({ status: 'ok' }) })
    const result = await runConformance(`http://127.0.0.1:${other.port}`)
    expect(result.failed).toBeGreaterThanOrEqual(1)
  })

  test('names the address when nothing answers there, and BASE_URL when it is missing', async () => {
    const port = freePort()
    const env = { PATH: process.env.PATH, TMPDIR: process.env.TMPDIR }
    const unreachable = await runCommand([process.execPath, 'test/e2e/conformance/main.ts'], {
      env: { ...env, BASE_URL: `http://127.0.0.1:${port}` },
    })
    expect(unreachable.exitCode).toBe(1)
    expect(unreachable.stderr).toContain(`Nothing answers at http://127.0.0.1:${port}`)
    const unset = await runCommand([process.execPath, 'test', './test/e2e/conformance/probes.test.ts'], {
      env,
    })
    expect(unset.exitCode).toBe(1)
    expect(unset.stderr).toContain('BASE_URL is required')
  })
})
