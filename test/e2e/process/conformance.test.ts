import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hashKey } from '../../../src/http/middleware/api-keys.ts'
import { haveOpenssl, makeCertificate } from '../../support/certificates.ts'
import { freePorts } from '../../support/free-ports.ts'
import { startService } from '../../support/service-process.ts'
import { casesOf, failuresOf, runConformance } from '../conformance/run.ts'

setDefaultTimeout(180_000)

/** Runs the suite, expects it to pass, and gives the reasons for which cases were left out. */
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
  test('as it starts without any configuration', async () => {
    await using service = await startService()
    expect(await conform(`http://127.0.0.1:${service.port}`)).toEqual(
      new Set([
        'CORS_ORIGIN lets no other origin in',
        'the service asks for no credentials',
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

  test('with metrics on a port of their own, and tasks run by a worker beside it', async () => {
    const [metricsPort = 0, workerPort = 0] = await freePorts(2)
    const database = { DATABASE_URL: `sqlite:${join(directory, 'shared.db')}` }
    await using service = await startService({
      env: { ...database, WORKER: 'off', METRICS_PORT: `${metricsPort}`, PAYLOAD_FAST_PATH: 'false' },
    })
    const url = `http://127.0.0.1:${service.port}`
    const metrics = { METRICS_URL: `http://127.0.0.1:${metricsPort}` }

    const alone = await conform(url, { ...metrics, WORKER: 'off' })
    expect(alone).toContain('WORKER=off: nothing runs tasks')

    await using worker = await startService({
      program: 'src/worker.ts',
      env: { ...database, WORKER_PORT: `${workerPort}` },
    })
    const together = await conform(url, { ...metrics, WORKER_URL: `http://127.0.0.1:${worker.port}` })
    expect(together).not.toContain('WORKER=off: nothing runs tasks')
    expect(together).not.toContain('WORKER_URL names none')
  })
})

describe('the suite', () => {
  test('fails where something else than the service answers', async () => {
    using other = Bun.serve({ port: 0, fetch: () => Response.json({ status: 'ok' }) })
    const result = await runConformance(`http://127.0.0.1:${other.port}`)
    expect(result.failed).toBeGreaterThanOrEqual(1)
  })

  test('says what is missing when nothing answers, and when it is not told where', async () => {
    const [port = 0] = await freePorts(1)
    const run = async (program: string[], env: Record<string, string>) => {
      const child = Bun.spawn([process.execPath, ...program], {
        env: { PATH: process.env.PATH ?? '', ...env },
        stdout: 'pipe',
        stderr: 'pipe',
      })
      const [code, said] = await Promise.all([child.exited, new Response(child.stderr).text()])
      return { code, said }
    }
    const nobody = await run(['test/e2e/conformance/main.ts'], { BASE_URL: `http://127.0.0.1:${port}` })
    expect(nobody.code).toBe(1)
    expect(nobody.said).toContain(`Nothing answers at http://127.0.0.1:${port}`)
    const untold = await run(['test', './test/e2e/conformance/probes.test.ts'], {})
    expect(untold.code).toBe(1)
    expect(untold.said).toContain('BASE_URL is required')
  })
})
