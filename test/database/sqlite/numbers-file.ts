import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSqlite } from '../../../src/database/open.ts'
import type { SqliteFile } from '../../../src/database/sqlite/file.ts'

/** An SQLite file with one table, `numbers`. The caller closes the file and removes its directory. */
export async function openNumbersFile() {
  const directory = await mkdtemp(join(tmpdir(), 'tally-numbers-'))
  const path = join(directory, 'test.db')
  const file = await openSqlite(path, {
    migrations: ['create table numbers (n integer primary key, text text) strict'],
  })
  return { directory, path, file }
}

/** Call it in a write of the file. */
export function insertNumber({ db }: SqliteFile, n: number, text = ''): void {
  db.query('insert into numbers values (?1, ?2)').run(n, text)
}
