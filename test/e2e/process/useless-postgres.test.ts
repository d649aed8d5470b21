import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { havePgBouncer, startPgBouncer } from '../../support/pgbouncer.ts'
import { havePostgres, type PostgresServer, startPostgres } from '../../support/postgres.ts'
import { noDrainWindow, runService, type Service, startService } from '../../support/service.ts'
import { startTcpProxy } from '../../support/tcp-proxy.ts'
import { until } from '../../support/until.ts'

setDefaultTimeout(120_000)

const startOn = (url: string, env = {}): Promise<Service> =>
  startService({ env: { ...noDrainWindow, DATABASE_URL: url, ...env } })

async function send({ url }: Service, path: string, body: string, headers = {}) {
  const response = await fetch(url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body,
  })
  return {
    status: response.status,
    body: (await response.json()) as { item?: { id: string }; task_id?: string },
  }
}

const taskStatus = async ({ url }: Service, id: string): Promise<string> =>
  ((await (await fetch(`${url}/tasks/${id}`)).json()) as { task: { status: string } }).task.status

const checksOf = async ({ url }: Service) =>
  ((await (await fetch(`${url}/ready`)).json()) as { checks: { store: string; queue: string } }).checks

/** Posts until a task is accepted, and waits until it has completed. */
async function completesTask(service: Service): Promise<void> {
  const { body } = await until(async () => {
    const posted = await send(service, '/tasks', '{"payload":"some text"}')
    return posted.status === 201 && posted
  })
  await until(async () => (await taskStatus(service, body.task_id as string)) === 'completed')
}

async function storesDocument(service: Service): Promise<string> {
  const { body } = await until(async () => {
    const posted = await send(service, '/data', '{"a":1}')
    return posted.status === 201 && posted
  })
  return body.item?.id as string
}

/** Waits until the checks and the log report why nothing can be written. */
async function showsFailure(service: Service, cause: RegExp): Promise<void> {
  await until(async () => {
    const { store, queue } = await checksOf(service)
    return store === 'failing' && queue === 'failing'
  })
  await service.log.line('dependency check failed')
  await until(() =>
    service.log.lines.some(
      ({ msg, cause: logged }) => msg === 'queue operation failed' && cause.test(`${logged}`),
    ),
  )
  await until(async () => (await send(service, '/data', '{"a":1}')).status === 503)
  await until(async () => (await send(service, '/tasks', '{"payload":"a"}')).status === 503)
}

async function recovers(service: Service): Promise<void> {
  await storesDocument(service)
  await completesTask(service)
  await until(async () => {
    const { store, queue } = await checksOf(service)
    return store === 'ok' && queue === 'ok'
  })
}

const withoutServer = !havePostgres()

describe.skipIf(withoutServer)('a service whose PostgreSQL is up, but unusable', () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server?.remove())

  test('because it is a standby: reports that, serves reads, and recovers when it is promoted', async () => {
    await using service = await startOn(server.url)
    const id = await storesDocument(service)
    await completesTask(service)
    await server.startAsStandby()
    await showsFailure(service, /read-only/)
    await until(async () => (await fetch(`${service.url}/data/${id}`)).status === 200)
    await server.psql('select pg_promote()')
    await recovers(service)
  })

  test('because its sessions are read-only: replaces them once new ones are not', async () => {
    await server.psql('alter role tally set default_transaction_read_only = on')
    await using service = await startOn(server.url)
    await showsFailure(service, /read-only/)
    await server.psql('begin read write; alter role tally reset default_transaction_read_only; commit')
    await recovers(service)
  })

  test('because the user may not write: reports that, and recovers when the user may', async () => {
    await server.psql("create role clerk login password 'clerk'; grant all on schema public to clerk")
    const url = new URL(server.url)
    url.username = 'clerk'
    url.password = 'clerk'
    const tables = 'documents, tasks, task_workers, task_queue, idempotency_keys, tally_migrations'
    await server.psql(`grant select on ${tables} to clerk`)
    await using service = await startOn(url.href)
    await showsFailure(service, /may not write|permission denied/)
    await server.psql(`grant insert, update, delete on ${tables} to clerk`)
    await recovers(service)
  })

  test('because another one is the primary: switches, although its connections stay open', async () => {
    const next = await startPostgres()
    const proxy = startTcpProxy(server.port)
    try {
      for (const one of [server, next])
        await one.psql("create role service superuser login password 'shared'")
      await using service = await startOn(`postgres://service:shared@127.0.0.1:${proxy.port}/tally`)
      await recovers(service)
      proxy.redirect(next.port)
      await server.psql('alter system set default_transaction_read_only = on')
      await server.psql('select pg_reload_conf()')
      await recovers(service)
      expect(Number(await next.psql('select count(*) from tasks'))).toBeGreaterThan(0)
    } finally {
      proxy.close()
      await next.remove()
      await server.psql('alter system reset default_transaction_read_only')
      await server.psql('select pg_reload_conf()')
    }
  })

  test('for a moment, because its sessions are ended: replaces them', async () => {
    await using service = await startOn(server.url)
    await recovers(service)
    for (let round = 0; round < 3; round++) {
      await server.psql(
        `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'tally' and pid <> pg_backend_pid()`,
      )
      await recovers(service)
    }
  })
})

describe.skipIf(withoutServer)('parameters of DATABASE_URL', () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server?.remove())

  test('that the service does not depend on are used', async () => {
    await using service = await startOn(
      `${server.url}?options=-c%20geqo%3Doff&application_name=orders&connect_timeout=9&max=1`,
      {
        PGOPTIONS: '-c statement_timeout=1',
      },
    )
    await recovers(service)
    expect(
      await server.psql("select count(*) > 1 from pg_stat_activity where application_name = 'orders'"),
    ).toBe('t')
  })

  test.each([
    ['options=-c%20geqo%3Doff%20-cstatement_timeout%3D0', 'statement_timeout'],
    ['options=--default-transaction-read-only%3Don', 'default_transaction_read_only'],
    ['idle_in_transaction_session_timeout=0', 'idle_in_transaction_session_timeout'],
    ['client_encoding=LATIN1', 'client_encoding'],
  ])('that would change what it needs are rejected at the start: %s', async (parameters, setting) => {
    const { exitCode, output } = await runService({
      env: { ...noDrainWindow, DATABASE_URL: `${server.url}?${parameters}` },
    })
    expect(exitCode).toBeGreaterThan(0)
    expect(output).toContain(`must not set ${setting}`)
    expect(output).not.toContain(server.password)
  })
})

const withoutPooler = withoutServer || !havePgBouncer()

describe.skipIf(withoutPooler)('a service behind PgBouncer', () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server?.remove())

  const ignoring = [
    'ignore_startup_parameters = statement_timeout,idle_in_transaction_session_timeout,options',
  ]
  test.each([
    ['session', []],
    ['transaction', []],
    // Two server sessions for all clients, which take turns.
    ['transaction', [...ignoring, 'default_pool_size = 2']],
  ] as const)(
    'in %s mode %j: stores documents, runs tasks of two instances, and keeps its time limits',
    async (mode, settings) => {
      const pooler = await startPgBouncer(server, { mode, settings })
      try {
        await using service = await startOn(pooler.url)
        await using other = await startOn(pooler.url, { WORKER: 'off' })
        const statuses = new Set<number>()
        /** Repeats rejected requests, because the machine may be slow. */
        const accepted = (on: Service, path: string, body: string, headers: Record<string, string>) =>
          until(async () => {
            const answer = await send(on, path, body, headers)
            statuses.add(answer.status)
            return answer.status === 201 && answer
          })
        await Promise.all(
          Array.from({ length: 16 }, async (_, n) => {
            const on = n % 2 === 0 ? service : other
            const key = n % 4 === 0 ? undefined : `${mode}-${settings.length}-${n}`
            const headers = key === undefined ? {} : { 'idempotency-key': key }
            const first = await accepted(on, '/data', `{"n":${n}}`, headers)
            const second = await accepted(on, '/data', `{"n":${n}}`, headers)
            expect(first.body.item?.id === second.body.item?.id).toBe(key !== undefined)
            const { body } = await accepted(on, '/tasks', '{"payload":"some text"}', headers)
            await until(async () => (await taskStatus(on, body.task_id as string)) === 'completed')
          }),
        )
        expect([...statuses].filter((status) => status !== 201 && status !== 503)).toEqual([])
        expect(await checksOf(service)).toMatchObject({ store: 'ok', queue: 'ok' })

        // Another client's transaction holds a row, so the server aborts the statement that waits for it.
        const id = await storesDocument(service)
        const lock = server
          .psql(`begin; select from documents where id = '${id}' for update; select pg_sleep(600)`)
          .catch(() => {})
        const locks = `select count(*) from pg_locks where mode = 'RowShareLock' and relation = 'documents'::regclass`
        await until(async () => (await server.psql(locks)) === '1')
        const put = await fetch(`${service.url}/data/${id}`, {
          method: 'PUT',
          headers: { 'content-type': 'application/json' },
          body: '{"b":2}',
        })
        expect(put.status).toBe(503)
        const { cause } = await until(() =>
          service.log.lines.find(({ route, status }) => route === '/data/:id' && status === 503),
        )
        expect(cause).toContain('statement timeout')
        await server.psql(
          `select pg_terminate_backend(pid) from pg_stat_activity where query like '%pg_sleep(600)' and pid <> pg_backend_pid()`,
        )
        await lock
        await recovers(service)
      } finally {
        await pooler.remove()
      }
    },
  )

  test('continues after the server behind it was restarted', async () => {
    const pooler = await startPgBouncer(server, { mode: 'transaction' })
    try {
      await using service = await startOn(pooler.url)
      await recovers(service)
      await server.crash()
      await until(async () => (await checksOf(service)).store === 'failing')
      await server.start()
      await recovers(service)
    } finally {
      await pooler.remove()
    }
  })
})
