import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { type OpenDatabase, openDatabase } from '../../src/database/open.ts'
import type { PostgresPoolOptions } from '../../src/database/postgres/pool.ts'
import { openTaskQueue } from '../../src/tasks/open.ts'
import { QueueUnavailable } from '../../src/tasks/task-queue.ts'
import { havePostgres, type PostgresServer, patientPool, startPostgres } from '../support/postgres.ts'
import { until } from '../support/until.ts'
import { taskQueueContract } from './contract.ts'
import { workersContract } from './several-processes.ts'

describe.skipIf(!havePostgres())('on PostgreSQL', () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres()
    await installClock()
  }, 60_000)
  afterAll(() => server.remove())

  const open = (postgres: PostgresPoolOptions = {}): Promise<OpenDatabase> =>
    openDatabase({ url: server.url, dataDir: '.', postgres: { maxConnections: 5, ...postgres } })
  /** Puts a clock that the tests set before PostgreSQL's own in the search path: all statements of the queue follow it. */
  const installClock = () =>
    server.psql(`
      create schema clock;
      create table clock.jump (by interval not null);
      insert into clock.jump values ('0');
      create function clock.clock_timestamp() returns timestamptz language sql volatile
        as 'select pg_catalog.clock_timestamp() + by from clock.jump';
      alter database tally set search_path = public, clock, pg_catalog`)
  const jumpServerClock = async (ms: number): Promise<void> =>
    void (await server.psql(`update clock.jump set by = '${ms} milliseconds'`))
  const truncate = async (): Promise<void> =>
    void (await server.psql(
      `truncate tasks, task_workers, idempotency_keys; update task_queue set paused = 0;
       update clock.jump set by = '0'`,
    ))

  describe('the contract', () => {
    taskQueueContract(
      async () => {
        const databases: OpenDatabase[] = []
        return {
          async open(options) {
            const database = await open(patientPool)
            databases.push(database)
            return openTaskQueue(database, options)
          },
          async remove() {
            await Promise.all(databases.map((database) => database.close()))
            await truncate()
          },
        }
      },
      { jumpServerClock },
    )
  })

  describe('several processes', () => {
    workersContract(async () => ({ url: server.url, dataDir: '.', remove: truncate }), { severalHosts: true })
  })

  test('calls fail while the server is down, and stored tasks run when it is back, without a restart', async () => {
    const database = await open()
    const queue = await openTaskQueue(database, { leaseMs: 1_000 })
    const { task } = await queue.enqueue({ kind: 'analysis', payload: '"a"' })
    await server.crash()
    await expect(queue.enqueue({ kind: 'analysis', payload: '"b"' })).rejects.toBeInstanceOf(QueueUnavailable)
    const consumer = queue.consume(async ({ payload }) => payload, { concurrency: 1, timeoutMs: 60_000 })
    await server.start()
    await until(async () => (await queue.find(task.id).catch(() => undefined))?.status === 'completed')
    await consumer.finish()
    await queue.close()
    await database.close()
    await truncate()
  }, 60_000)

  test('durability reports a server that confirms commits before they are on its disk', async () => {
    await server.psql("alter database tally set synchronous_commit = 'off'")
    const database = await open()
    const queue = await openTaskQueue(database)
    expect(await queue.durability()).toEqual({
      durable: false,
      reason: expect.stringContaining('synchronous_commit'),
    })
    await server.psql('alter database tally reset synchronous_commit')
    await queue.close()
    await database.close()
  }, 60_000)
})
