import { Database } from 'bun:sqlite'
import { afterEach, beforeEach, describe, expect, spyOn, test } from 'bun:test'
import fs from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { SqliteFile } from '../../../src/database/sqlite/file.ts'
import { OpenFiles } from '../../../src/database/sqlite/open-files.ts'
import { WriteAheadLog, type WriteAheadLogOptions } from '../../../src/database/sqlite/write-ahead-log.ts'
import { until } from '../../support/until.ts'
import { insertNumber, openNumbersFile } from './numbers-file.ts'

let directory: string
let path: string
let file: SqliteFile

beforeEach(async () => {
  ;({ directory, path, file } = await openNumbersFile())
})
afterEach(async () => {
  await file.close()
  await rm(directory, { recursive: true })
})

const insert = (n: number, text?: string) => insertNumber(file, n, text)
/** The numbers that a new connection to a file sees. */
const numbersIn = (database: string): number[] => {
  using reader = new Database(database, { readonly: true })
  return reader
    .query<{ n: number }, []>('select n from numbers order by n')
    .all()
    .map(({ n }) => n)
}

/** The same file with another log. */
async function reopen(options: WriteAheadLogOptions): Promise<{ log: WriteAheadLog }> {
  const { db } = file
  const files = await OpenFiles.of(path, db)
  const log = new WriteAheadLog(db, files, options)
  file = new SqliteFile(db, { files, log })
  return { log }
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

  test('after a failure no write is confirmed before the log is written again', async () => {
    let failures = 2
    await reopen({
      syncFile: () => (failures-- > 0 ? Promise.reject(new Error('EIO: i/o error')) : Promise.resolve()),
    })
    const failed = { reason: 'full', message: expect.stringContaining('EIO: i/o error') }
    await expect(file.write(() => insert(1))).rejects.toMatchObject(failed)
    // Its repair fails, so it is not even executed.
    await expect(file.write(() => insert(2))).rejects.toMatchObject(failed)
    const log = `${path}-wal`
    const before = await Bun.file(log).bytes()
    fs.utimesSync(log, 0, 0)

    // A check writes nothing itself.
    await file.ping(() => undefined)
    expect(fs.statSync(log).mtimeMs).toBeGreaterThan(0)
    expect(await Bun.file(log).bytes()).toEqual(before)
    await file.write(() => insert(3))
    expect(numbersIn(path)).toEqual([1, 3])
  })

  test('while another process writes, the log is not written again', async () => {
    let failures = 1
    await reopen({
      syncFile: () => (failures-- > 0 ? Promise.reject(new Error('EIO: i/o error')) : Promise.resolve()),
    })
    await expect(file.write(() => insert(1))).rejects.toMatchObject({ reason: 'full' })
    using other = new Database(path, { readwrite: true })
    other.run('begin immediate')
    fs.utimesSync(`${path}-wal`, 0, 0)
    const attempts = spyOn(file.db, 'run')
    const next = file.write(() => insert(3))
    await until(() => attempts.mock.calls.length >= 3)
    expect(fs.statSync(`${path}-wal`).mtimeMs).toBe(0)
    other.run('insert into numbers values (2, null)')
    other.run('commit')
    await next
    expect(numbersIn(path)).toEqual([1, 2, 3])
  })

  test('another file in the place of the log is the reason, and writes continue when the log is back', async () => {
    const log = `${path}-wal`
    const reasonOf = async (write: Promise<unknown>) => await write.then(() => 'confirmed', String)
    await rename(log, `${path}-elsewhere`)
    await Bun.write(log, 'another file')
    expect(await reasonOf(file.write(() => insert(1)))).toContain('-wal was replaced while it was open')
    await rm(log)
    expect(await reasonOf(file.write(() => insert(2)))).toContain('-wal was deleted while it was open')
    await rename(`${path}-elsewhere`, log)
    using sync = spyOn(fs, 'fdatasyncSync')
    await file.write(() => insert(3))
    const synced = sync.mock.calls.map(([descriptor]) => fs.readlinkSync(`/proc/self/fd/${descriptor}`))
    expect(synced[0]).toBe(log)
    expect(numbersIn(path)).toEqual([1, 3])
  })
})

test('a ping waits for no sync', async () => {
  let finishSync = () => {}
  await reopen({
    syncFile: () =>
      new Promise((resolve) => {
        finishSync = resolve
      }),
  })
  const events: string[] = []
  const write = file.write(() => insert(1)).then(() => events.push('confirmed'))
  await until(() => numbersIn(path).length === 1)
  await file.ping(() => file.db.query('select 1 from numbers').get())
  events.push('pinged')
  finishSync()
  await write
  expect(events).toEqual(['pinged', 'confirmed'])
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

  test('a failed checkpoint is reported, loses nothing, and is tried again when the log has grown', async () => {
    const errors: unknown[] = []
    const diskError = new Error('disk I/O error')
    let failures = 2
    const { log } = await reopen({
      copyToDatabase: async () => {
        if (failures-- > 0) throw diskError
        file.db.run('pragma wal_checkpoint(full)')
      },
      onCheckpointError: (error) => errors.push(error),
    })
    for (let n = 0; n < 20; n++) await file.write(() => insert(n, mebibyte))
    expect(errors).toEqual([diskError, diskError])
    expect(numbersIn(path)).toHaveLength(20)
    expect(Bun.file(path).size).toBeGreaterThan(10 * 2 ** 20)
    expect(log.hasFailed).toBe(false)
  })

  test('another log in the place of this one is never copied to the database', async () => {
    for (let n = 0; n < 3; n++) await file.write(() => insert(n, mebibyte))
    const databaseBytes = Bun.file(path).size
    await rename(`${path}-wal`, `${path}-elsewhere`)
    const deleted = {
      reason: 'refused',
      message: expect.stringContaining('-wal was deleted while it was open'),
    }
    for (let n = 3; n < 8; n++)
      await expect(file.write(() => insert(n, mebibyte))).rejects.toMatchObject(deleted)
    expect(await Bun.file(`${path}-wal`).exists()).toBe(false)
    expect(Bun.file(path).size).toBe(databaseBytes)
    await rename(`${path}-elsewhere`, `${path}-wal`)
    await file.write(() => insert(9, mebibyte))
    expect(numbersIn(path)).toContain(9)
  })

  test('closing the file ends its threads and leaves no log', async () => {
    for (let n = 0; n < 8; n++) await file.write(() => insert(n, mebibyte))
    await file.close()
    expect(await Bun.file(`${path}-wal`).exists()).toBe(false)
    expect(numbersIn(path)).toHaveLength(8)
  })
})
