import { Database } from 'bun:sqlite'
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseIncompatible, SchemaTooNew } from '../../src/database/errors.ts'
import { type Migration, readSqliteVersion, sqliteMigrations } from '../../src/database/migrations.ts'
import { openSqlite } from '../../src/database/open.ts'

const extraStep = 'create table one_more (n integer)'

describe('opening an SQLite file', () => {
  let directory: string
  let path: string

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tally-database-'))
    path = join(directory, 'test.db')
  })
  afterEach(() => rm(directory, { recursive: true }))

  const version = (migrations?: readonly Migration[]) =>
    openSqlite(path, migrations ? { migrations } : {}).then(async (file) => {
      const { version } = readSqliteVersion(file.db)
      await file.close()
      return version
    })

  test('runs only the missing steps', async () => {
    expect(await version()).toBe(sqliteMigrations.length)
    expect(await version([...sqliteMigrations, extraStep])).toBe(sqliteMigrations.length + 1)
    expect(await version([...sqliteMigrations, extraStep])).toBe(sqliteMigrations.length + 1)
  })

  test('leaves the schema unchanged when a step fails, including earlier steps', async () => {
    await version()
    await expect(version([...sqliteMigrations, extraStep, 'nonsense'])).rejects.toBeInstanceOf(
      DatabaseIncompatible,
    )
    expect(await version()).toBe(sqliteMigrations.length)
    expect(await version([...sqliteMigrations, extraStep])).toBe(sqliteMigrations.length + 1)
  })

  test('accepts a newer schema that only expands, and leaves it as it is', async () => {
    const newer = sqliteMigrations.length + 1
    expect(await version([...sqliteMigrations, extraStep])).toBe(newer)
    expect(await version()).toBe(newer)
    expect(await version([...sqliteMigrations, extraStep])).toBe(newer)
  })

  test('rejects a newer schema that requires newer code, with the versions in the message', async () => {
    const newer = sqliteMigrations.length + 1
    const contraction = { sql: extraStep, requires: newer }
    await version([...sqliteMigrations, contraction])
    const error = await version().catch((error) => error)
    expect(error).toBeInstanceOf(SchemaTooNew)
    expect(error.message).toContain(`is version ${newer} and needs`)
    expect(error.message).toContain(`this one knows ${newer - 1}`)
    // Later migrations do not change that.
    await version([...sqliteMigrations, contraction, 'create table another (n integer)'])
    await expect(version()).rejects.toBeInstanceOf(SchemaTooNew)
    expect(await version([...sqliteMigrations, contraction])).toBe(newer + 1)
  })

  test('creates a missing directory', async () => {
    path = join(directory, 'a', 'b', 'test.db')
    expect(await version()).toBe(sqliteMigrations.length)
  })

  test('rejects a file that is not a database, with its path and the reason', async () => {
    await writeFile(path, 'not a database, but long enough for SQLite to read it'.repeat(100))
    await expect(version()).rejects.toThrow(`cannot use ${path} as the database: file is not a database`)
    const inFile = join(path, 'below', 'a', 'file.db')
    await expect(openSqlite(inFile)).rejects.toBeInstanceOf(DatabaseIncompatible)
  })

  test('rejects a file with foreign tables and leaves it unchanged', async () => {
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
