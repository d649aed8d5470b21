import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import { havePostgres, startPostgres } from '../../support/postgres.ts'
import { haveRedis, startRedis } from '../../support/redis.ts'
import { noDrainWindow, startService } from '../../support/service.ts'
import { until } from '../../support/until.ts'

setDefaultTimeout(120_000)

/** A queue that a test makes refuse all writes. It can be read meanwhile. */
interface Queue {
  readonly env: Readonly<Record<string, string>>
  refuseWrites(): Promise<unknown>
  acceptWrites(): Promise<unknown>
  remove(): Promise<unknown>
}

interface TaskState {
  readonly status: string
  readonly attempts: number
  readonly error?: string
}

async function postgres(): Promise<Queue> {
  const server = await startPostgres()
  const setReadOnly = async (value: 'on' | 'off') => {
    await server.psql(`alter system set default_transaction_read_only = ${value}`)
    await server.psql('select pg_reload_conf()')
  }
  return {
    env: { DATABASE_URL: server.url },
    refuseWrites: () => setReadOnly('on'),
    acceptWrites: () => setReadOnly('off'),
    remove: () => server.remove(),
  }
}

/** @param setting of the server, with the value by which it refuses writes */
async function redis(setting: 'maxmemory' | 'min-replicas-to-write'): Promise<Queue> {
  const server = await startRedis()
  return {
    env: { REDIS_URL: server.url },
    refuseWrites: () => server.send('CONFIG', 'SET', setting, '1'),
    acceptWrites: () => server.send('CONFIG', 'SET', setting, '0'),
    remove: () => server.remove(),
  }
}

const leaseMs = 1_000

/**
 * One task ends while the queue refuses writes, and one runs on, for longer than a lease holds. Each has one attempt, so a
 * lost lease or a dropped result would make it fail.
 */
async function keepsRunningTasks(startQueue: () => Promise<Queue>): Promise<void> {
  const queue = await startQueue()
  try {
    await using service = await startService({
      env: {
        ...noDrainWindow,
        ...queue.env,
        ...{ DEBUG_ROUTES: 'true', TASK_ATTEMPTS: '1', TASK_LEASE: `${leaseMs}ms` },
      },
    })
    const read = async (id: string): Promise<TaskState> =>
      ((await (await fetch(`${service.url}/tasks/${id}`)).json()) as { task: TaskState }).task
    const post = async (seconds: number): Promise<string> => {
      const response = await fetch(`${service.url}/tasks`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ kind: 'demo', payload: { seconds } }),
      })
      return ((await response.json()) as { task_id: string }).task_id
    }
    const ids = await Promise.all([post(1), post(5)])
    await until(async () => (await Promise.all(ids.map(read))).every(({ status }) => status === 'processing'))
    await queue.refuseWrites()
    await Bun.sleep(3 * leaseMs)
    await queue.acceptWrites()
    const ended = await until(async () => {
      const tasks = await Promise.all(ids.map(read))
      return tasks.every(({ status }) => status !== 'processing') && tasks
    })
    expect(ended).toMatchObject(ids.map(() => ({ status: 'completed', attempts: 1 })))
  } finally {
    await queue.remove()
  }
}

describe('no running task loses its lease or its result', () => {
  test.skipIf(!havePostgres())('while PostgreSQL is read-only', () => keepsRunningTasks(postgres))

  test.skipIf(!haveRedis())('while the memory of Redis is full', () =>
    keepsRunningTasks(() => redis('maxmemory')),
  )

  test.skipIf(!haveRedis())('while Redis misses its replicas', () =>
    keepsRunningTasks(() => redis('min-replicas-to-write')),
  )
})
