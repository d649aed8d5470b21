import { Database } from 'bun:sqlite'
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseUnavailable } from '../../../src/database/errors.ts'
import { openSqlite } from '../../../src/database/open.ts'
import type { SqliteFile } from '../../../src/database/sqlite/file.ts'
import { WRITES_WAITING_MAX } from '../../../src/database/sqlite/group-commit.ts'
import { whenUnlocked } from '../../../src/database/sqlite/lock.ts'

describe('writes that share a commit', () => {
  let directory: string
  let path: string
  let file: SqliteFile

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tally-commit-'))
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
  const kept = () =>
    file.read(() =>
      file.db
        .query<{ n: number }, []>('select n from numbers order by n')
        .all()
        .map(({ n }) => n),
    )

  test('writes of the same turn are one transaction', async () => {
    const reader = new Database(path, { readonly: true })
    const dataVersion = () =>
      reader.query<{ data_version: number }, []>('pragma data_version').get()?.data_version
    const before = dataVersion() as number
    // Each of them looks, while it runs, at what others can see: nothing until all are committed.
    const seen = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        file.write(() => {
          insert(n)
          return reader.query<{ count: number }, []>('select count(*) as count from numbers').get()?.count
        }),
      ),
    )
    expect(seen).toEqual(Array(20).fill(0))
    expect(dataVersion()).toBe(before + 1)
    reader.close()
  })

  test('a write that fails is taken back alone, all of it, and told its own error', async () => {
    const outcomes = await Promise.allSettled([
      file.write(() => insert(1)),
      file.write(() => {
        insert(2)
        throw new Error('mine')
      }),
      file.write(() => insert(1)),
      file.write(() => insert(3)),
    ])
    expect(
      outcomes.map((outcome) => (outcome.status === 'rejected' ? outcome.reason.message : 'done')),
    ).toEqual(['done', 'mine', 'UNIQUE constraint failed: numbers.n', 'done'])
    expect(await kept()).toEqual([1, 3])
  })

  test('no write is answered before it is committed', async () => {
    const reader = new Database(path, { readonly: true })
    for (let n = 0; n < 50; n++) {
      await file.write(() => insert(n))
      expect(reader.query('select n from numbers where n = ?').get(n)).toEqual({ n })
    }
    reader.close()
  })

  test('when the disk is full nobody is told that a write was kept that was not, and with room it goes on', async () => {
    const pages = () =>
      file.db.query<{ page_count: number }, []>('pragma page_count').get()?.page_count as number
    file.db.run(`pragma max_page_count = ${pages() + 4}`)
    const outcomes = await Promise.allSettled(
      Array.from({ length: 40 }, (_, n) => file.write(() => insert(n, 'x'.repeat(1_000)))),
    )
    const confirmed = outcomes.flatMap(({ status }, n) => (status === 'fulfilled' ? [n] : []))
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected')
    expect(refused.length).toBeGreaterThan(0)
    expect(refused.map(({ reason }) => reason.reason)).toEqual(refused.map(() => 'full'))
    expect(await kept()).toEqual(confirmed)

    file.db.run('pragma max_page_count = 1000000')
    await file.write(() => insert(1_000))
    expect(await kept()).toEqual([...confirmed, 1_000])
  })

  test('while another process holds the lock the event loop is free, and the write is done afterwards', async () => {
    const other = new Database(path)
    other.run('begin immediate')
    const turns: string[] = []
    const write = file.write(() => insert(1)).then(() => turns.push('written'))
    for (let n = 0; n < 10; n++) {
      await Bun.sleep(1)
      turns.push('turn')
    }
    other.run('commit')
    await write
    other.close()
    expect(turns).toEqual([...Array(10).fill('turn'), 'written'])
  })

  test('who waits for the lock too long is told that the database is busy', async () => {
    const other = new Database(path)
    other.run('begin immediate')
    const attempt = whenUnlocked(() => file.db.run('begin immediate'), 50)
    await expect(attempt).rejects.toMatchObject({ reason: 'busy' })
    other.close()
  })

  test('more writes than may wait are refused at once, and the others are done', async () => {
    const outcomes = await Promise.allSettled(
      Array.from({ length: WRITES_WAITING_MAX + 5 }, (_, n) => file.write(() => insert(n))),
    )
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected')
    expect(refused).toHaveLength(5)
    expect(refused.every(({ reason }) => reason instanceof DatabaseUnavailable)).toBe(true)
    expect(await kept()).toHaveLength(WRITES_WAITING_MAX)
  })

  test('a write that is asked for while a batch is answered is done too', async () => {
    const chain = async (n: number): Promise<void> => {
      await file.write(() => insert(n))
      if (n < 30) await chain(n + 1)
    }
    await chain(0)
    expect(await kept()).toHaveLength(31)
  })
})
