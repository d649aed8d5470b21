import { Database } from 'bun:sqlite'
import { afterEach, beforeEach, describe, expect, spyOn, test } from 'bun:test'
import fs from 'node:fs'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSqlite } from '../../../src/database/open.ts'
import { SqliteFile } from '../../../src/database/sqlite/file.ts'
import { OpenFiles } from '../../../src/database/sqlite/open-files.ts'
import { WriteAheadLog, type WriteAheadLogOptions } from '../../../src/database/sqlite/write-ahead-log.ts'
import { until } from '../../support/until.ts'

let directory: string
let path: string
let file: SqliteFile

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tally-log-'))
  path = join(directory, 'test.db')
  file = await openSqlite(path, {
    migrations: ['create table numbers (n integer primary key, text text) strict'],
  })
})
afterEach(async () => {
  await file.close()
  await rm(directory, { recursive: true })
})

const insert = (n: number, text = '') => file.db.query('insert into numbers values (?1, ?2)').run(n, text)
/** The numbers that a new connection to a file sees. */
const numbersIn = (database: string): number[] => {
  using reader = new Database(database, { readonly: true })
  return reader
    .query<{ n: number }, []>('select n from numbers order by n')
    .all()
    .map(({ n }) => n)
}

/** The same file with other syncs. */
async function reopen(options: WriteAheadLogOptions): Promise<void> {
  const { db } = file
  file = new SqliteFile(db, { files: await OpenFiles.of(path), log: new WriteAheadLog(db, path, options) })
}

describe('sync', () => {
  test('a write is confirmed after the sync of its commit, and later writes share the next commit', async () => {
    const syncs: (() => void)[] = []
    await reopen({ syncFile: () => new Promise((resolve) => syncs.push(resolve)) })
    const events: string[] = []
    const write = (n: number) => file.write(() => insert(n)).then(() => events.push(`confirmed ${n}`))
    const nextSync = async () => {
      await until(() => syncs.length > 0)
      events.push(`committed ${numbersIn(path)}`)
      syncs.shift()?.()
    }
    const first = write(1)
    await until(() => syncs.length > 0)
    const others = [write(2), write(3)]
    await nextSync()
    await first
    await nextSync()
    await Promise.all(others)
    expect(events).toEqual(['committed 1', 'confirmed 1', 'committed 1,2,3', 'confirmed 2', 'confirmed 3'])
  })

  test('a disk that is slow is waited for by a thread, and a fast one here', async () => {
    const synced: string[] = []
    const nameOf = (descriptor: number) => fs.readlinkSync(`/proc/self/fd/${descriptor}`)
    let blockingMs = 0
    using _here = spyOn(fs, 'fdatasyncSync').mockImplementation((descriptor) => {
      synced.push(`here ${nameOf(descriptor)}`)
      Bun.sleepSync(blockingMs)
    })
    const { fdatasync } = fs
    using _thread = spyOn(fs, 'fdatasync').mockImplementation(((
      descriptor: number,
      done: fs.NoParamCallback,
    ) => {
      synced.push(`thread ${nameOf(descriptor)}`)
      fdatasync(descriptor, done)
    }) as typeof fs.fdatasync)
    const time = spyOn(performance, 'now').mockReturnValue(0)
    await file.write(() => insert(1))
    await file.write(() => insert(2))
    time.mockRestore()
    blockingMs = 5
    await file.write(() => insert(3))
    await file.write(() => insert(4))
    expect(synced).toEqual(['here', 'here', 'here', 'thread'].map((where) => `${where} ${path}-wal`))
  })

  test('after a failure no write is confirmed until the database has the whole log', async () => {
    let failures = 1
    await reopen({
      syncFile: () => (failures-- > 0 ? Promise.reject(new Error('EIO: i/o error')) : Promise.resolve()),
    })
    // Its snapshot is older than the writes, so the log cannot be copied completely.
    const reader = new Database(path, { readonly: true })
    reader.run('begin')
    reader.query('select count(*) from numbers').get()
    const unconfirmed = expect(file.write(() => insert(1))).rejects
    await unconfirmed.toMatchObject({ reason: 'full', message: expect.stringContaining('EIO: i/o error') })
    await expect(file.write(() => insert(2))).rejects.toMatchObject({ reason: 'full' })
    await expect(file.ping(() => undefined)).rejects.toMatchObject({ reason: 'full' })

    reader.run('commit')
    reader.close()
    await file.write(() => insert(3))
    // The database without its log: the write whose sync failed is in it.
    await file.ping(() => undefined)
    await cp(path, `${path}-copy`)
    expect(numbersIn(`${path}-copy`)).toContain(1)
    expect(numbersIn(path)).toEqual([1, 3])
  })
})

describe('checkpoint', () => {
  const mebibyte = 'x'.repeat(2 ** 20)

  test('a long log is copied to the database and used again from its beginning', async () => {
    for (let n = 0; n < 40; n++) await file.write(() => insert(n, mebibyte))
    expect(Bun.file(`${path}-wal`).size).toBeLessThan(12 * 2 ** 20)
    expect(Bun.file(path).size).toBeGreaterThan(30 * 2 ** 20)
    expect(numbersIn(path)).toHaveLength(40)
  })

  test('writes continue while a reader keeps the log from being copied', async () => {
    const reader = new Database(path, { readonly: true })
    reader.run('begin')
    reader.query('select count(*) from numbers').get()
    for (let n = 0; n < 12; n++) await file.write(() => insert(n, mebibyte))
    expect(numbersIn(path)).toHaveLength(12)
    reader.run('commit')
    reader.close()
    for (let n = 12; n < 40; n++) await file.write(() => insert(n, mebibyte))
    expect(Bun.file(`${path}-wal`).size).toBeLessThan(30 * 2 ** 20)
  })

  test('closing the file ends its threads and leaves no log', async () => {
    for (let n = 0; n < 8; n++) await file.write(() => insert(n, mebibyte))
    await file.close()
    expect(await Bun.file(`${path}-wal`).exists()).toBe(false)
    expect(numbersIn(path)).toHaveLength(8)
  })
})
