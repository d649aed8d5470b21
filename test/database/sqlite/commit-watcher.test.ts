import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSqlite } from '../../../src/database/open.ts'
import { CommitWatcher } from '../../../src/database/sqlite/commit-watcher.ts'
import type { SqliteFile } from '../../../src/database/sqlite/file.ts'
import { until } from '../../support/until.ts'

describe('CommitWatcher', () => {
  let directory: string
  let own: SqliteFile
  let other: SqliteFile
  let commits: number
  let watcher: CommitWatcher
  const write = (file: SqliteFile) =>
    file.write(() =>
      file.db.run("insert into idempotency_keys values ('s', hex(randomblob(8)), 'f', 'r', 1)"),
    )

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tally-watcher-'))
    own = await openSqlite(join(directory, 'test.db'))
    other = await openSqlite(join(directory, 'test.db'))
    commits = 0
    watcher = new CommitWatcher(own, () => commits++)
  })
  afterEach(async () => {
    await Promise.all([own.close(), other.close()])
    await rm(directory, { recursive: true })
  })

  test('notices the commits of other connections but not its own', async () => {
    const unwatch = watcher.watch()
    await write(own)
    await write(other)
    await until(() => commits === 1)
    await write(own)
    await write(other)
    await until(() => commits === 2)
    unwatch()
  })

  test('watches only while there are subscribers', async () => {
    const first = watcher.watch()
    const second = watcher.watch()
    first()
    await write(other)
    await until(() => commits === 1)
    second()
    await write(other)
    const third = watcher.watch()
    await write(other)
    await until(() => commits === 2)
    third()
    expect(commits).toBe(2)
  })

  test('a closed file has no commits', async () => {
    const unwatch = watcher.watch()
    await own.close()
    expect(own.dataVersion()).toBeUndefined()
    unwatch()
  })
})
