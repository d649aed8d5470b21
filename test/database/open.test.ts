import { Database } from 'bun:sqlite'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseUnavailable, DatabaseUnusable, SchemaTooNew } from '../../src/database/errors.ts'
import { POSTGRES_MIGRATIONS, SQLITE_MIGRATIONS } from '../../src/database/migrations.ts'
import { openPostgres, openSqlite } from '../../src/database/open.ts'
import { havePostgres, type PostgresServer, startPostgres } from '../support/postgres.ts'

const TIMEOUT_MS = 60_000
const ONE_MORE = 'create table one_more (n integer)'

describe('opening an SQLite file', () => {
  let directory: string
  let path: string

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tally-database-'))
    path = join(directory, 'test.db')
  })
  afterEach(() => rm(directory, { recursive: true }))

  const version = (migrations?: readonly string[]) =>
    openSqlite(path, migrations ? { migrations } : {}).then(async (file) => {
      const row = file.db.query<{ user_version: number }, []>('pragma user_version').get()
      await file.close()
      return row?.user_version
    })

  test('every commit is written through: write-ahead log and synchronous=FULL', async () => {
    const file = await openSqlite(path)
    const pragma = (name: string) => Object.values(file.db.query<object, []>(`pragma ${name}`).get() ?? {})[0]
    expect([pragma('journal_mode'), pragma('synchronous')]).toEqual(['wal', 2])
    await file.close()
  })

  test('only the steps that are missing are taken', async () => {
    expect(await version()).toBe(SQLITE_MIGRATIONS.length)
    expect(await version([...SQLITE_MIGRATIONS, ONE_MORE])).toBe(SQLITE_MIGRATIONS.length + 1)
    expect(await version([...SQLITE_MIGRATIONS, ONE_MORE])).toBe(SQLITE_MIGRATIONS.length + 1)
  })

  test('a step that fails leaves the schema as it was, also the steps before it', async () => {
    await version()
    await expect(version([...SQLITE_MIGRATIONS, ONE_MORE, 'nonsense'])).rejects.toBeInstanceOf(
      DatabaseUnusable,
    )
    expect(await version()).toBe(SQLITE_MIGRATIONS.length)
    expect(await version([...SQLITE_MIGRATIONS, ONE_MORE])).toBe(SQLITE_MIGRATIONS.length + 1)
  })

  test('a newer schema is refused with both versions in the message', async () => {
    await version([...SQLITE_MIGRATIONS, ONE_MORE])
    const error = await version().catch((error) => error)
    expect(error).toBeInstanceOf(SchemaTooNew)
    expect(error.message).toContain(`version ${SQLITE_MIGRATIONS.length + 1}`)
    expect(error.message).toContain(`only ${SQLITE_MIGRATIONS.length}`)
  })

  test('a missing directory is made', async () => {
    path = join(directory, 'a', 'b', 'test.db')
    expect(await version()).toBe(SQLITE_MIGRATIONS.length)
  })

  test('what cannot be a database is refused with its path and the reason', async () => {
    await writeFile(path, 'this is no database, and long enough for SQLite to look at it'.repeat(100))
    await expect(version()).rejects.toThrow(`cannot use ${path} as the database: file is not a database`)
    const inFile = join(path, 'below', 'a', 'file.db')
    await expect(openSqlite(inFile)).rejects.toBeInstanceOf(DatabaseUnusable)
  })

  test('a file with tables of somebody else is refused and left alone', async () => {
    const theirs = new Database(path)
    theirs.run('create table documents (theirs text)')
    theirs.close()
    await expect(version()).rejects.toThrow('table documents already exists')
    const still = new Database(path)
    expect(still.query('select sql from sqlite_schema').all()).toEqual([
      { sql: 'CREATE TABLE documents (theirs text)' },
    ])
    still.close()
  })
})

describe.skipIf(!havePostgres())('opening PostgreSQL', () => {
  let server: PostgresServer

  beforeAll(async () => {
    server = await startPostgres()
  }, TIMEOUT_MS)
  afterAll(() => server?.remove())
  beforeEach(() => server.psql('drop schema public cascade; create schema public'))

  const open = async (migrations: readonly string[] = POSTGRES_MIGRATIONS) => {
    const pool = await openPostgres(server.url, { migrations })
    await pool.close()
  }
  const steps = () => server.psql('select count(*) from tally_migrations')

  test('only the steps that are missing are taken, also by five at once', async () => {
    await Promise.all(Array.from({ length: 5 }, () => open()))
    expect(await steps()).toBe(`${POSTGRES_MIGRATIONS.length}`)
    await Promise.all(Array.from({ length: 5 }, () => open([...POSTGRES_MIGRATIONS, ONE_MORE])))
    expect(await steps()).toBe(`${POSTGRES_MIGRATIONS.length + 1}`)
  })

  test('a step that fails leaves the schema as it was', async () => {
    await open()
    await expect(open([...POSTGRES_MIGRATIONS, ONE_MORE, 'nonsense'])).rejects.toThrow('syntax error')
    expect(await steps()).toBe(`${POSTGRES_MIGRATIONS.length}`)
  })

  test('a newer schema is refused', async () => {
    await open([...POSTGRES_MIGRATIONS, ONE_MORE])
    await expect(open()).rejects.toBeInstanceOf(SchemaTooNew)
  })

  test('a schema that turns out newer after the start makes calls fail, and the process goes on', async () => {
    await server.stop()
    const pool = await openPostgres(server.url)
    await server.start()
    await open([...POSTGRES_MIGRATIONS, ONE_MORE])
    await expect(pool.ping()).rejects.toBeInstanceOf(SchemaTooNew)
    await pool.close()
  })

  test('a migration that takes longer than a call may is not cut off', async () => {
    const slow = [...POSTGRES_MIGRATIONS, 'select pg_sleep(0.5)']
    const pool = await openPostgres(server.url, { migrations: slow, statementMsMax: 100, callMsMax: 150 })
    await expect(pool.ping()).rejects.toBeInstanceOf(DatabaseUnavailable)
    const recovered = async (): Promise<void> => pool.ping().catch(() => recovered())
    await recovered()
    expect(await steps()).toBe(`${slow.length}`)
    await pool.close()
  })

  test('an encoding in which not every document fits is refused', async () => {
    await server.psql("create database latin encoding 'LATIN1' template template0")
    await expect(openPostgres(server.url.replace(/tally$/, 'latin'))).rejects.toThrow('LATIN1')
  })

  test('the database of the URL is used, whatever PGDATABASE says', async () => {
    const child = Bun.spawn({
      cmd: [
        process.execPath,
        '-e',
        `import { openPostgres } from '${join(import.meta.dir, '../../src/database/open.ts')}'
         const pool = await openPostgres(process.argv[1])
         console.log((await pool.run((sql) => sql\`select current_database() as name\`, true))[0].name)
         await pool.close()`,
        server.url,
      ],
      env: { ...process.env, PGDATABASE: 'elsewhere' },
      stdout: 'pipe',
    })
    expect(await new Response(child.stdout).text()).toBe('tally\n')
  })

  test('the password is in no error, whatever goes wrong', async () => {
    const { url, password } = server
    const failures = [
      url.replace(/tally$/, 'missing'),
      url.replace('tally:', 'nobody:'),
      url.replace(password, `${password}-wrong`),
      url.replace('127.0.0.1', 'no-such-host.invalid'),
      url.replace(/:\d+\//, ':1/'),
      url.replace(/:\d+\//, ':99999/'),
      url.replace('127.0.0.1', '['),
      url.replace(password, `${password}%zz`),
      `${url}?sslmode=require`,
      `${url}?sslmode=nonsense`,
    ].map(async (broken) => {
      const pool = await openPostgres(broken)
      try {
        await pool.ping()
      } finally {
        await pool.close()
      }
    })
    const outcomes = await Promise.allSettled(failures)
    expect(outcomes.map(({ status }) => status)).toEqual(outcomes.map(() => 'rejected'))
    for (const { reason } of outcomes as PromiseRejectedResult[]) {
      expect(reason instanceof DatabaseUnavailable || reason instanceof DatabaseUnusable).toBe(true)
      expect(everythingOf(reason)).not.toContain(password)
    }
  })
})

/** An error as the most talkative logger would print it, with its causes. */
function everythingOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return [
    Bun.inspect(error, { depth: 10 }),
    error.stack,
    JSON.stringify(error),
    everythingOf(error.cause),
  ].join('\n')
}
