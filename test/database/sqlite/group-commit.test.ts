import { Database } from 'bun:sqlite'
import { afterEach, beforeEach, describe, expect, spyOn, test } from 'bun:test'
import { rm } from 'node:fs/promises'
import { DatabaseUnavailable } from '../../../src/database/errors.ts'
import type { SqliteFile } from '../../../src/database/sqlite/file.ts'
import { maxWaitingWrites } from '../../../src/database/sqlite/group-commit.ts'
import { retryWhileBusy } from '../../../src/database/sqlite/lock.ts'
import { insertNumber, openNumbersFile } from './numbers-file.ts'

describe('GroupCommit', () => {
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
  const stored = () =>
    file.read(() =>
      file.db
        .query<{ n: number }, []>('select n from numbers order by n')
        .all()
        .map(({ n }) => n),
    )

  test('commits the writes of one turn of the event loop in one transaction', async () => {
    const reader = new Database(path, { readonly: true })
    const dataVersion = () =>
      reader.query<{ data_version: number }, []>('pragma data_version').get()?.data_version
    const before = dataVersion() as number
    // Time stands still: a machine under load could reach the time limit of a batch.
    using _clock = spyOn(performance, 'now').mockReturnValue(0)
    // Each write counts the rows that other connections see: none until all are committed.
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

  test('rolls back a failed write alone and completely, and rejects it with its own error', async () => {
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
    expect(await stored()).toEqual([1, 3])
  })

  test('resolves no write before it is committed', async () => {
    const reader = new Database(path, { readonly: true })
    for (let n = 0; n < 50; n++) {
      await file.write(() => insert(n))
      expect(reader.query('select n from numbers where n = ?').get(n)).toEqual({ n })
    }
    reader.close()
  })

  test('confirms only stored writes when the disk is full, and continues when there is space', async () => {
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
    expect(await stored()).toEqual(confirmed)

    file.db.run('pragma max_page_count = 1000000')
    await file.write(() => insert(1_000))
    expect(await stored()).toEqual([...confirmed, 1_000])
  })

  test('keeps the event loop free while another process holds the lock, then writes', async () => {
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

  test('rejects as busy a write that waits too long for the lock', async () => {
    const other = new Database(path)
    other.run('begin immediate')
    const attempt = retryWhileBusy(() => file.db.run('begin immediate'), 50)
    await expect(attempt).rejects.toMatchObject({ reason: 'busy' })
    other.close()
  })

  test('rejects writes beyond the waiting limit at once, and completes the others', async () => {
    const outcomes = await Promise.allSettled(
      Array.from({ length: maxWaitingWrites + 5 }, (_, n) => file.write(() => insert(n))),
    )
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected')
    expect(refused).toHaveLength(5)
    expect(refused.every(({ reason }) => reason instanceof DatabaseUnavailable)).toBe(true)
    expect(await stored()).toHaveLength(maxWaitingWrites)
  })

  test('completes a write that is requested while a batch resolves', async () => {
    const chain = async (n: number): Promise<void> => {
      await file.write(() => insert(n))
      if (n < 30) await chain(n + 1)
    }
    await chain(0)
    expect(await stored()).toHaveLength(31)
  })
})
