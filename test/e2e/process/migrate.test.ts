import { describe, expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SQL } from 'bun'
import {
  type Migration,
  migratePostgres,
  migrationLock,
  postgresMigrations,
  sqliteMigrations,
} from '../../../src/database/migrations.ts'
import { openPostgres, openSqlite } from '../../../src/database/open.ts'
import { parseCodeBlocks } from '../../support/markdown.ts'
import { createPostgresDatabase, havePostgres, startPostgres } from '../../support/postgres.ts'
import { rejectionOf } from '../../support/rejection.ts'
import { root } from '../../support/root.ts'
import { noDrainWindow, runService, startService } from '../../support/service.ts'
import { until } from '../../support/until.ts'

const timeoutMs = 120_000

/** A database of one engine, empty at first. */
interface Place extends AsyncDisposable {
  readonly env: Readonly<Record<string, string>>
  readonly released: readonly Migration[]
  /** Migrates like another release of the service with these steps. */
  migrateTo(migrations: readonly Migration[]): Promise<void>
}

async function sqlitePlace(): Promise<Place> {
  const directory = await mkdtemp(join(tmpdir(), 'tally-migrate-'))
  return {
    env: { DATA_DIR: directory },
    released: sqliteMigrations,
    migrateTo: async (migrations) => (await openSqlite(join(directory, 'tally.db'), { migrations })).close(),
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true }),
  }
}

async function postgresPlace(): Promise<Place> {
  const { url, remove } = await createPostgresDatabase()
  return {
    env: { DATABASE_URL: url },
    released: postgresMigrations,
    migrateTo: async (migrations) => (await openPostgres(url, { migrations })).close(),
    [Symbol.asyncDispose]: remove,
  }
}

/** The permitted schema changes while the previous release runs: see docs/operations.md, "Migrations". */
const expansion = `
  alter table documents add column labels text;
  alter table documents add column tenant text not null default 'all';
  alter table tasks add column tenant text;
  create index tasks_by_tenant on tasks (tenant);
  create table tenants (name text primary key);
  insert into tenants values ('all');`

describe('on SQLite', () => promises(sqlitePlace))
describe.skipIf(!havePostgres())('on PostgreSQL', () => promises(postgresPlace))

test.skipIf(!havePostgres())(
  'a service whose user may not change tables waits while the command runs, and needs nothing more after it',
  async () => {
    // A separate server: roles belong to the server and not to a database.
    const server = await startPostgres()
    try {
      const page = await Bun.file(join(root, 'docs/database.md')).text()
      const roles = parseCodeBlocks(page).find(({ name }) => name === 'roles')
      await server.psql(roles?.text ?? '')
      const urlAs = async (user: string): Promise<string> => {
        await server.psql(`alter role ${user} password 'of-${user}'`)
        return Object.assign(new URL(server.url), { username: user, password: `of-${user}` }).href
      }
      const owner = await urlAs('tally_owner')
      const env = { ...noDrainWindow, DATABASE_URL: await urlAs('tally_app') }
      const early = await runService({ env })
      expect(early.exitCode).toBe(1)
      expect(early.output).toContain('permission denied for schema public')

      // The lock of a migration: the service starts while the command runs.
      await using sql = new SQL(owner, { max: 1 })
      await sql`select pg_advisory_lock(${migrationLock})`
      const starting = startService({ env })
      await until(
        async () =>
          (await server.psql("select pid from pg_locks where locktype = 'advisory' and not granted")) !== '',
      )
      await migratePostgres(sql, postgresMigrations)
      await sql`select pg_advisory_unlock(${migrationLock})`
      await using service = await starting
      await until(async () => {
        const { checks } = (await (await fetch(`${service.url}/ready`)).json()) as {
          checks: { store: string }
        }
        return checks.store === 'ok'
      })
      await useEverything(service.url, 'before')
      const refused = await rejectionOf(server.psql('set role tally_app; create table more (n integer)'))
      expect(String(refused)).toContain('permission denied for schema public')

      // The next release adds a table, which the user may use without another GRANT.
      await (await openPostgres(owner, { migrations: [...postgresMigrations, expansion] })).close()
      await useEverything(service.url, 'after')
      await server.psql("set role tally_app; insert into tenants values ('another')")
      expect(await server.psql('select count(*) from tenants')).toBe('2')
    } finally {
      await server.remove()
    }
  },
  3 * timeoutMs,
)

function promises(makePlace: () => Promise<Place>): void {
  test(
    'the command migrates and exits, and does nothing when it runs again',
    async () => {
      await using place = await makePlace()
      for (const _ of ['the first time', 'again']) {
        const { exitCode, output } = await runService({ program: 'src/migrate.ts', env: place.env })
        expect(output).toContain(`"schema":${place.released.length}`)
        expect(output).toContain('"msg":"schema is up to date"')
        expect(exitCode).toBe(0)
      }
    },
    timeoutMs,
  )

  test(
    'the previous release keeps working while a newer one expands the schema, and starts again after a rollback',
    async () => {
      await using place = await makePlace()
      const env = { ...noDrainWindow, ...place.env }
      const next = [...place.released, expansion]
      {
        await using service = await startService({ env })
        await useEverything(service.url, 'before')
        await place.migrateTo(next)
        await useEverything(service.url, 'meanwhile')
        expect(await service.stop()).toBe(0)
      }
      await using rolledBack = await startService({ env })
      await useEverything(rolledBack.url, 'afterwards')
      const documents = (await (await fetch(`${rolledBack.url}/data`)).json()) as { id: string }[]
      expect(documents.map(({ id }) => id)).toEqual(['before', 'meanwhile', 'afterwards'])
      // The newer release finds all of it.
      await place.migrateTo(next)
    },
    timeoutMs,
  )

  test(
    'the command and the previous release refuse a schema without the columns that they need',
    async () => {
      await using place = await makePlace()
      const newer = place.released.length + 1
      await place.migrateTo([...place.released, { sql: 'drop table idempotency_keys', requires: newer }])
      for (const program of ['src/migrate.ts', 'src/main.ts']) {
        const { exitCode, output } = await runService({ program, env: place.env })
        expect(output).toContain(`needs a service that knows at least version ${newer}`)
        expect(exitCode).toBe(1)
      }
    },
    timeoutMs,
  )
}

/** Writes, changes, reads and lists a document and a task, which runs to its end. */
async function useEverything(url: string, name: string): Promise<void> {
  const send = async (method: string, path: string, body: unknown, expected: number): Promise<unknown> => {
    const response = await fetch(url + path, {
      method,
      headers: { 'content-type': 'application/json', 'idempotency-key': `${name}:${method}:${path}` },
      body: JSON.stringify(body),
    })
    const text = await response.text()
    expect({ path, status: response.status, text }).toMatchObject({ status: expected })
    return JSON.parse(text)
  }
  await send('POST', '/data', { id: name, n: 1 }, 201)
  await send('POST', '/data', { id: name, n: 1 }, 201)
  await send('PUT', `/data/${name}`, { n: 2 }, 200)
  const { task_id } = (await send('POST', '/tasks', { payload: name }, 201)) as { task_id: string }
  await until(
    async () => {
      const { task } = (await (await fetch(`${url}/tasks/${task_id}`)).json()) as { task: { status: string } }
      return task.status === 'completed'
    },
    { what: `the task ${name} to complete`, intervalMs: 20 },
  )
  expect((await fetch(`${url}/tasks?status=completed`)).status).toBe(200)
  expect((await fetch(`${url}/data/${name}`)).status).toBe(200)
}
