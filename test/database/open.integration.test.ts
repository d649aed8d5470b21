import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { DatabaseIncompatible, DatabaseUnavailable, SchemaTooNew } from '../../src/database/errors.ts'
import { type Migration, postgresMigrations } from '../../src/database/migrations.ts'
import { openPostgres } from '../../src/database/open.ts'
import { runSuccessfully } from '../support/command.ts'
import { havePostgres, type PostgresServer, startPostgres } from '../support/postgres.ts'
import { root } from '../support/root.ts'

const timeoutMs = 60_000
const extraStep = 'create table one_more (n integer)'

describe.skipIf(!havePostgres())('opening PostgreSQL', () => {
  let server: PostgresServer

  beforeAll(async () => {
    server = await startPostgres()
  }, timeoutMs)
  afterAll(() => server?.remove())
  beforeEach(() => server.psql('drop schema public cascade; create schema public'))

  const open = async (migrations: readonly Migration[] = postgresMigrations) => {
    const pool = await openPostgres(server.url, { migrations })
    await pool.close()
  }
  const steps = () => server.psql('select count(*) from tally_migrations')

  test('runs only the missing steps, also in five instances at once', async () => {
    await Promise.all(Array.from({ length: 5 }, () => open()))
    expect(await steps()).toBe(`${postgresMigrations.length}`)
    await Promise.all(Array.from({ length: 5 }, () => open([...postgresMigrations, extraStep])))
    expect(await steps()).toBe(`${postgresMigrations.length + 1}`)
  })

  test('leaves the schema unchanged when a step fails', async () => {
    await open()
    await expect(open([...postgresMigrations, extraStep, 'nonsense'])).rejects.toThrow('syntax error')
    expect(await steps()).toBe(`${postgresMigrations.length}`)
  })

  const contraction = { sql: extraStep, requires: postgresMigrations.length + 1 }

  test('accepts a newer schema that only expands, and leaves it as it is', async () => {
    await open([...postgresMigrations, extraStep])
    await open()
    expect(await steps()).toBe(`${postgresMigrations.length + 1}`)
  })

  test('rejects a newer schema that requires newer code, also with later migrations', async () => {
    await open([...postgresMigrations, contraction])
    await expect(open()).rejects.toBeInstanceOf(SchemaTooNew)
    await open([...postgresMigrations, contraction, 'create table another (n integer)'])
    await expect(open()).rejects.toBeInstanceOf(SchemaTooNew)
    await open([...postgresMigrations, contraction])
    expect(await steps()).toBe(`${postgresMigrations.length + 2}`)
  })

  test('continues with the table of migrations of an earlier version', async () => {
    await server.psql(
      'create table tally_migrations (version integer primary key, applied_at timestamptz default now())',
    )
    await server.psql(postgresMigrations[0] as string)
    await server.psql('insert into tally_migrations (version) values (1)')
    await open()
    expect(await steps()).toBe(`${postgresMigrations.length}`)
    // The earlier version adds its rows without the new column.
    await server.psql('insert into tally_migrations (version) values (1000)')
    await open()
  })

  test('fails calls when the schema turns out newer after the start, and keeps running', async () => {
    await server.stop()
    const pool = await openPostgres(server.url)
    await server.start()
    await open([...postgresMigrations, contraction])
    await expect(pool.ping()).rejects.toBeInstanceOf(SchemaTooNew)
    await pool.close()
  })

  test('does not abort a migration that takes longer than the time limit of a call', async () => {
    const slow = [...postgresMigrations, 'select pg_sleep(0.5)']
    const pool = await openPostgres(server.url, {
      migrations: slow,
      statementTimeoutMs: 100,
      callTimeoutMs: 150,
    })
    await expect(pool.ping()).rejects.toBeInstanceOf(DatabaseUnavailable)
    const recovered = async (): Promise<void> => pool.ping().catch(() => recovered())
    await recovered()
    expect(await steps()).toBe(`${slow.length}`)
    await pool.close()
  })

  test('rejects an encoding that cannot store every document', async () => {
    await server.psql("create database latin encoding 'LATIN1' template template0")
    await expect(openPostgres(server.url.replace(/tally$/, 'latin'))).rejects.toThrow('LATIN1')
  })

  test('uses the database of the URL and ignores PGDATABASE', async () => {
    const program = `
      import { openPostgres } from '${join(root, 'src/database/open.ts')}'
      const pool = await openPostgres(process.argv[1])
      console.log((await pool.run((sql) => sql\`select current_database() as name\`, true))[0].name)
      await pool.close()`
    const name = await runSuccessfully([process.execPath, '-e', program, server.url], {
      env: { ...process.env, PGDATABASE: 'elsewhere' },
    })
    expect(name).toBe('tally')
  })

  test('never shows the password in an error', async () => {
    const { url, password } = server
    const failures = [
      url.replace(/tally$/, 'missing'),
      url.replace('tally:', 'stranger:'),
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
      expect(reason instanceof DatabaseUnavailable || reason instanceof DatabaseIncompatible).toBe(true)
      expect(printEverything(reason)).not.toContain(password)
    }
  })
})

/** An error as the most verbose logger would print it, with its causes. */
function printEverything(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return [
    Bun.inspect(error, { depth: 10 }),
    error.stack,
    JSON.stringify(error),
    printEverything(error.cause),
  ].join('\n')
}
