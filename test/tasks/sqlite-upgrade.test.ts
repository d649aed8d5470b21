import { Database } from 'bun:sqlite'
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sqliteMigrations } from '../../src/database/migrations.ts'
import { type OpenDatabase, openDatabase, openSqlite } from '../../src/database/open.ts'
import { openTaskQueue } from '../../src/tasks/open.ts'
import type { TaskQueue } from '../../src/tasks/task-queue.ts'

/**
 * During a rolling restart, processes of the version before have the file open after it was migrated. These are its
 * statements: a lease expired at `due_at`, and a renewal moved it.
 */
describe('processes of the former version beside this one', () => {
  const leaseMs = 400
  const formerVersion = 3
  let directory: string
  let former: Database
  let database: OpenDatabase
  let queue: TaskQueue

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tally-upgrade-'))
    const path = join(directory, 'tally.db')
    await (await openSqlite(path, { migrations: sqliteMigrations.slice(0, formerVersion) })).close()
    former = new Database(path)
    former.run('pragma busy_timeout = 5000')
  })
  afterEach(async () => {
    await queue.close()
    await database.close()
    former.close()
    await rm(directory, { recursive: true })
  })

  const upgrade = async () => {
    database = await openDatabase({ dataDir: directory })
    queue = await openTaskQueue(database, { leaseMs })
  }
  const addFormer = (id: string, now = Date.now()): void => {
    const { lastInsertRowid } = former.run(
      `insert into tasks (id, status, attempts, due_at, created_at, updated_at)
       values (?1, 'pending', 0, ?2, ?2, ?2)`,
      [id, now],
    )
    former.run('insert into task_payloads (seq, payload, traceparent) values (?1, ?2, null)', [
      lastInsertRowid,
      '"a"',
    ])
  }
  const claimFormer = (lease: string, now = Date.now()) =>
    former.run(
      `update tasks set status = 'processing', attempts = attempts + 1, lease = ?1, due_at = ?3, updated_at = ?2
       where seq = (
         select seq from tasks indexed by tasks_due where status in ('pending', 'processing') and due_at <= ?2
         order by due_at, seq limit 1)`,
      [lease, now, now + leaseMs],
    )

  test('a worker of the former version keeps its task for as long as it renews its lease, and claims no other', async () => {
    addFormer('long')
    claimFormer('lease')
    await upgrade()
    const ran: string[] = []
    queue.consume(
      async ({ id }) => {
        ran.push(id)
        return '1'
      },
      { concurrency: 1, timeoutMs: 60_000 },
    )
    for (let n = 0; n < 16; n++) {
      await Bun.sleep(leaseMs / 4)
      former.run(`update tasks set due_at = ?2 where lease = ?1 and status = 'processing'`, [
        'lease',
        Date.now() + leaseMs,
      ])
    }
    expect(ran).toEqual([])
    const completed = former.run(
      `update tasks set status = 'completed', result = ?2, error = null, lease = null, updated_at = ?3
       where lease = ?1 and status = 'processing'`,
      ['lease', '1', Date.now()],
    )
    expect(completed.changes).toBe(1)
    expect(await queue.find('long')).toMatchObject({ status: 'completed', attempts: 1 })
    expect(() => claimFormer('other')).toThrow('no such index')
  })

  test('tasks that the former version adds are due since then, and those that it retries later wait', async () => {
    addFormer('failing')
    claimFormer('lease')
    await upgrade()
    const now = Date.now()
    addFormer('added', now)
    expect(await queue.find('added')).toMatchObject({ kind: 'analysis', priority: 5, runAt: now })
    former.run(
      `update tasks set status = 'pending', error = ?2, lease = null, updated_at = ?3, due_at = ?4
       where lease = ?1 and status = 'processing'`,
      ['lease', 'no', now, now + 60_000],
    )
    expect(await queue.stats()).toMatchObject({ waiting: 1, delayed: 1 })
  })
})
