import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { SQL } from 'bun'
import { examplePayload } from '../../support/example-payload.ts'
import { havePostgres, type PostgresServer, startPostgres } from '../../support/postgres.ts'
import { noDrainWindow, runService, type Service, startService } from '../../support/service.ts'
import { until } from '../../support/until.ts'
import { DocumentLoad, everyDocument } from './document-load.ts'
import { Ledger } from './ledger.ts'

const timeoutMs = 90_000
/** How long after the server's return everything must work again. */
const recoveryMsMax = 20_000
/** How long a rejection may take on a busy machine. */
const refusalMsMax = 8_000

describe.skipIf(!havePostgres())('a service whose PostgreSQL goes away', () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres()
  }, timeoutMs)
  afterAll(() => server?.remove())

  for (const end of ['stop', 'crash'] as const) {
    test(
      `during a ${end} and restart under load: every response is correct or a prompt 503, and /payload is unaffected`,
      async () => {
        await using service = await startService({ env: { ...noDrainWindow, DATABASE_URL: server.url } })
        await using strict = await startService({
          env: { ...noDrainWindow, DATABASE_URL: server.url, READY_REQUIRES: 'store' },
        })
        const ledger = new Ledger()
        const load = new DocumentLoad(service.url, { prefix: end, clients: 8, ledger })
        const payload = new PayloadLoad(service.url)
        await load.untilConfirmed(200)
        expect(await ready(strict)).toEqual({ status: 200, store: 'ok', reason: undefined })

        await server[end]()
        await until(() => load.refused.length >= 50)
        await until(async () => (await ready(service)).store === 'failing')
        expect(await ready(service)).toEqual({ status: 200, store: 'failing', reason: undefined })
        expect(await checkMetrics(service)).toContain('app_check_failing{check="store",required="false"} 1')
        await until(async () => (await ready(strict)).status === 503)
        expect(await checkMetrics(strict)).toContain('app_check_failing{check="store",required="true"} 1')
        expect(await ready(strict)).toEqual({ status: 503, store: 'failing', reason: 'store unavailable' })

        await server.start()
        const startedAt = performance.now()
        await load.untilConfirmed(load.confirmed + 200)
        await until(async () => (await ready(strict)).status === 200)
        expect(performance.now() - startedAt).toBeLessThan(recoveryMsMax)
        expect((await ready(service)).store).toBe('ok')
        expect(await checkMetrics(service)).toContain('app_check_failing{check="store",required="false"} 0')
        await load.stop()
        await payload.stop()

        expect(load.wrong).toEqual([])
        expect(load.unanswered).toBe(0)
        expect(load.refused.filter(({ ms }) => ms > refusalMsMax)).toEqual([])
        expect(payload.wrong).toEqual([])
        expect(payload.answered).toBeGreaterThan(100)
        await load.repeat(service.url)
        expect(ledger.differences(await documentsOf(service, end))).toEqual([])
      },
      timeoutMs,
    )
  }

  test(
    'that starts later: serves /payload, rejects /data, and serves it after the migration once PostgreSQL is up',
    async () => {
      await server.psql('create database late')
      const url = server.url.replace(/tally$/, 'late')
      await server.stop()
      await using service = await startService({ env: { ...noDrainWindow, DATABASE_URL: url } })
      const payload = new PayloadLoad(service.url)
      const refused = await fetch(`${service.url}/data`)
      expect(refused.status).toBe(503)
      expect(refused.headers.get('retry-after')).toBe('1')
      expect(refused.headers.get('content-type')).toBe('application/problem+json')
      expect(await ready(service)).toEqual({ status: 200, store: 'failing', reason: undefined })

      await server.start()
      const ledger = new Ledger()
      const load = new DocumentLoad(service.url, { prefix: 'late', clients: 4, ledger })
      await load.untilConfirmed(100)
      await load.stop()
      await payload.stop()
      expect(load.wrong).toEqual([])
      expect(payload.wrong).toEqual([])
      expect(payload.answered).toBeGreaterThan(0)
      expect(ledger.differences(await everyDocument(service.url))).toEqual([])
      await using sql = new SQL(url)
      expect(await sql`select version from tally_migrations`).not.toBeEmpty()
    },
    timeoutMs,
  )
})

describe.skipIf(!havePostgres())('the password in DATABASE_URL', () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres()
  }, timeoutMs)
  afterAll(() => server?.remove())

  const secret = 'Pa55w0rd-that-no-log-may-show'

  test(
    'appears in no response and no log line of a service that runs, loses its database and is rejected by it',
    async () => {
      const wrongPassword = server.url.replace(server.password, secret)
      await using refused = await startService({
        env: { ...noDrainWindow, DATABASE_URL: wrongPassword, LOG_LEVEL: 'debug' },
      })
      await using service = await startService({
        env: { ...noDrainWindow, DATABASE_URL: server.url, LOG_LEVEL: 'debug' },
      })
      const answers = [...(await askAll(refused)), ...(await askAll(service))]
      await server.stop()
      answers.push(...(await askAll(refused)), ...(await askAll(service)))
      const endings = [await refused.stop(), await service.stop()]
      await server.start()

      expect(endings).toEqual([0, 0])
      expect(answers.filter(({ status }) => status === 503)).not.toBeEmpty()
      expect(answers.filter(({ status }) => status === 201)).not.toBeEmpty()
      expect(answers.filter(({ status }) => status === 500)).toEqual([])
      for (const text of [JSON.stringify(answers), refused.log.text, service.log.text])
        for (const password of [secret, server.password]) expect(text).not.toContain(password)
    },
    timeoutMs,
  )

  test.each([
    `postgres://tally:${secret}@127.0.0.1:99999/tally`,
    `postgres://tally:${secret}@[/tally`,
    `postgres://tally:${secret}%zz@127.0.0.1:1/%zz`,
    `mysql://tally:${secret}@127.0.0.1/tally`,
    `postgres:tally:${secret}@127.0.0.1/tally`,
  ])('is not repeated when the URL is rejected at the start: %s', async (url) => {
    const { exitCode, output } = await runService({ env: { ...noDrainWindow, DATABASE_URL: url } })
    expect(exitCode).toBeGreaterThan(0)
    expect(output).toMatch(/DATABASE_URL|the database URL/)
    expect(output).not.toContain(secret)
  })

  test(
    'is not repeated when the database is unfit: a newer schema',
    async () => {
      await (await startService({ env: { ...noDrainWindow, DATABASE_URL: server.url } })).stop()
      await server.psql('insert into tally_migrations (version, requires) values (1000, 1000)')
      const { exitCode, output } = await runService({ env: { ...noDrainWindow, DATABASE_URL: server.url } })
      expect(exitCode).toBe(1)
      expect(output).toContain('schema is version 1000')
      expect(output).not.toContain(server.password)
    },
    timeoutMs,
  )
})

/** The lines of /metrics about checks. */
async function checkMetrics({ url }: Service): Promise<string[]> {
  const text = await (await fetch(`${url}/metrics`)).text()
  return text.split('\n').filter((line) => line.startsWith('app_check_failing{'))
}

/** A client that sends /payload requests without a pause and checks every response. */
class PayloadLoad {
  answered = 0
  readonly wrong: string[] = []
  readonly #client: Promise<void>
  readonly #url: string
  #running = true

  constructor(url: string) {
    this.#url = url
    this.#client = this.#run()
  }

  async stop(): Promise<void> {
    this.#running = false
    await this.#client
  }

  async #run(): Promise<void> {
    const init = {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(examplePayload),
    }
    while (this.#running) {
      const start = performance.now()
      const outcome = await fetch(`${this.#url}/payload`, init).then(
        async (response) => `${response.status} ${await response.text()}`,
        (error) => `no answer: ${error}`,
      )
      const ms = performance.now() - start
      this.answered += 1
      if (!outcome.startsWith('200 ') || !outcome.includes('"mean":3') || ms > refusalMsMax)
        this.wrong.push(`${outcome} after ${ms} ms`)
      await Bun.sleep(2)
    }
  }
}

/** The store's check in /ready. */
async function ready({ url }: Service) {
  const response = await fetch(`${url}/ready`)
  const { checks, reason } = (await response.json()) as { checks: { store?: string }; reason?: string }
  return { status: response.status, store: checks.store, reason }
}

/** One request of every kind, to anything that might show the password. */
async function askAll({ url }: Service): Promise<{ status: number; text: string }[]> {
  const body = '{"n":1}'
  const headers = { 'content-type': 'application/json' }
  const responses = await Promise.all([
    fetch(`${url}/data`, { method: 'POST', headers, body }),
    fetch(`${url}/data`, { method: 'POST', headers: { ...headers, 'idempotency-key': 'k' }, body }),
    fetch(`${url}/data/a`, { method: 'PUT', headers, body }),
    fetch(`${url}/data/b`, { method: 'DELETE' }),
    fetch(`${url}/data/b`),
    fetch(`${url}/data`),
    fetch(`${url}/ready`),
    fetch(`${url}/metrics`),
    fetch(`${url}/version`),
  ])
  return await Promise.all(
    responses.map(async (response) => ({
      status: response.status,
      text: `${JSON.stringify([...response.headers])} ${await response.text()}`,
    })),
  )
}

/** Those of one load, because the tests share the database. */
async function documentsOf({ url }: Service, prefix: string): Promise<string[]> {
  return (await everyDocument(url)).filter((text) => new RegExp(`"(id|of)":"${prefix}-`).test(text))
}
