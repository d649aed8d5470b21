import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { runMigrations } from 'bullmq'
import { DatabaseUnavailable } from '../../src/database/errors.ts'
import { postgresMigrations } from '../../src/database/migrations.ts'
import { type OpenDatabase, openDatabase, openPostgres } from '../../src/database/open.ts'
import { openTaskQueue } from '../../src/tasks/open.ts'
import { havePostgres, type PostgresServer, startPostgres } from '../support/postgres.ts'

/** The migrations of the last version that kept tasks in BullMQ's tables. */
const earlierMigrations = postgresMigrations.slice(0, 1)
const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
const added = 1_795_968_111_323

/** Jobs as the earlier version left them, by the columns that differ. */
const jobs = {
  waiting: `state = 'waiting'`,
  active: `state = 'active', attempts_started = 2, attempts_made = 1, lock_token = 'l', failed_reason = 'again',
    processed_at_ms = ${added + 10}`,
  delayed: `state = 'delayed', attempts_started = 1, attempts_made = 1, delay_ms = 500, process_at_ms = ${added + 700},
    processed_at_ms = ${added + 100}, failed_reason = 'again'`,
  completed: `state = 'completed', attempts_started = 1, attempts_made = 1, processed_at_ms = ${added + 5},
    finished_at_ms = ${added + 9}, return_value = to_jsonb('{"a":"\\ud800"}'::text)`,
  failed: `state = 'failed', attempts_started = 3, attempts_made = 3, processed_at_ms = ${added + 5},
    finished_at_ms = ${added + 9}, failed_reason = 'no'`,
  retried: `state = 'waiting', progress = to_jsonb(${added + 20}::bigint)`,
} as const

describe.skipIf(!havePostgres())('an installation with tasks in BullMQ', () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres()
  }, 60_000)
  afterAll(() => server.remove())

  /** Creates BullMQ's tables with its own migrations, and adds jobs with its own function. */
  beforeEach(async () => {
    await server.psql(
      'drop schema if exists bullmq cascade; drop schema public cascade; create schema public',
    )
    await (await openPostgres(server.url, { migrations: earlierMigrations })).close()
    const sql = new Bun.SQL({ url: server.url, max: 1 })
    await runMigrations({
      query: async (text: string, values?: unknown[]) => {
        const rows = await (values === undefined ? sql.unsafe(text).simple() : sql.unsafe(text, values))
        return { rows: [...rows], rowCount: rows.count }
      },
    } as unknown as Parameters<typeof runMigrations>[0])
    for (const [name, columns] of Object.entries(jobs)) {
      await addJob(sql, 'tally', name, { payload: JSON.stringify(`${name} \u0000`), traceparent })
      await sql.unsafe(`update bullmq.job set ${columns} where id = '${name}'`)
    }
    await sql.close()
  })

  const addJob = (sql: Bun.SQL, queue: string, id: string, data: object) => sql`
    select bullmq.add_job(${queue}, ${id}, 'task', ${JSON.stringify(data)}::text::jsonb, '{}'::jsonb, 0, 0, ${added}, 1,
      null, null, null, null, null, false)`
  const open = (): Promise<OpenDatabase> => openDatabase({ url: server.url, dataDir: '.' })

  test('every task moves with its state, and those that have not ended run', async () => {
    const database = await open()
    const queue = await openTaskQueue(database)
    const common = { kind: 'analysis', priority: 5, createdAt: added, runAt: added, result: undefined }
    const expected = {
      waiting: { status: 'pending', attempts: 0, updatedAt: added, error: undefined },
      active: { status: 'pending', attempts: 1, updatedAt: added + 10, error: 'again' },
      delayed: { status: 'pending', attempts: 1, updatedAt: added + 100, error: 'again' },
      completed: { status: 'completed', attempts: 1, updatedAt: added + 9, result: '{"a":"\\ud800"}' },
      failed: { status: 'failed', attempts: 3, updatedAt: added + 9, error: 'no' },
      retried: { status: 'pending', attempts: 0, updatedAt: added + 20 },
    }
    for (const [id, task] of Object.entries(expected))
      expect(await queue.find(id)).toMatchObject({
        ...common,
        ...task,
        id,
        payload: JSON.stringify(`${id} \u0000`),
        traceparent,
      } as object)
    // In order of arrival.
    expect((await queue.list({ limit: 10 })).tasks.map(({ id }) => id)).toEqual(
      Object.keys(jobs).toReversed(),
    )

    const { promise: allRan, resolve } = Promise.withResolvers<void>()
    const ran: string[] = []
    const consumer = queue.consume(
      async ({ id }) => {
        if (ran.push(id) === 4) resolve()
        return '1'
      },
      { concurrency: 1, timeoutMs: 60_000 },
    )
    await allRan
    await consumer.finish()
    expect(ran.toSorted()).toEqual(['active', 'delayed', 'retried', 'waiting'])
    expect(await queue.stats()).toMatchObject({ waiting: 0, delayed: 0, completed: 5, failed: 1 })
    await queue.close()
    await database.close()
  }, 60_000)

  test('operations of an earlier version on tasks then fail as unavailable', async () => {
    const earlier = await openPostgres(server.url, { migrations: earlierMigrations })
    await earlier.ping()
    await (await open()).close()
    for (const call of [
      (sql: Bun.SQL) => addJob(sql, 'tally', 'late', { payload: '1' }),
      (sql: Bun.SQL) => sql`select id from bullmq.job where id = 'waiting'`,
      (sql: Bun.SQL) => sql`update bullmq.job set state = 'waiting' where id = 'waiting'`,
    ])
      await expect(earlier.run(async (sql) => await call(sql), false)).rejects.toBeInstanceOf(
        DatabaseUnavailable,
      )
    // Documents are still served.
    await earlier.run((sql) => sql`select 1 from documents`, true)
    await earlier.close()
    expect(await server.psql('select count(*) from bullmq.job_moved')).toBe('0')
  }, 60_000)

  test('foreign jobs prevent the start, with the command that removes them, and nothing moves', async () => {
    const sql = new Bun.SQL({ url: server.url, max: 1 })
    await addJob(sql, 'other', 'theirs', { x: 1 })
    const error = await open().catch((error: Error) => error)
    const command = /start again: (.+)$/.exec((error as Error).message)?.[1] ?? ''
    expect(command).toContain('delete from bullmq.job')
    expect(await server.psql("select to_regclass('tasks') is null")).toBe('t')
    await sql.unsafe(command)
    await sql.close()
    await (await open()).close()
    expect(await server.psql('select count(*) from tasks')).toBe(`${Object.keys(jobs).length}`)
  }, 60_000)
})
