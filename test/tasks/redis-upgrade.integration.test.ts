import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { createBunRedisClient, type Job, Queue, Worker } from 'bullmq'
import { openTaskQueue } from '../../src/tasks/open.ts'
import { isEnded, type Task } from '../../src/tasks/task.ts'
import type { TaskQueue } from '../../src/tasks/task-queue.ts'
import { haveRedis, type RedisServer, startRedis } from '../support/redis.ts'
import { rejectionOf } from '../support/rejection.ts'
import { until } from '../support/until.ts'

/**
 * The version before this one used BullMQ's classes: jobs named `task` in the list `wait`, without a priority, with the
 * times of the process. Its processes and those of this version share a queue during an upgrade.
 */
describe.skipIf(!haveRedis())('tasks that the former version left in Redis', () => {
  let server: RedisServer
  let queue: TaskQueue
  let former: Queue
  let formerWorker: Worker
  let formerConnection: ReturnType<typeof createBunRedisClient>
  let client: Bun.RedisClient
  const leaseMs = 600

  beforeEach(async () => {
    server = await startRedis()
    client = new Bun.RedisClient(server.url)
    formerConnection = createBunRedisClient(new Bun.RedisClient(server.url))
    const connection = formerConnection
    former = new Queue('tally', { connection, skipMetasUpdate: true })
    formerWorker = new Worker('tally', null, { connection, autorun: false, lockDuration: leaseMs })
    queue = await openTaskQueue({ engine: 'redis', url: server.url }, { leaseMs, initialBackoffMs: 20 })
  })
  afterEach(async () => {
    await queue.close()
    await formerWorker.close()
    await former.close()
    formerConnection.disconnect()
    client.close()
    await server.remove()
  })

  const addFormer = async (payload: string, traceparent?: string): Promise<string> => {
    const id = Bun.randomUUIDv7()
    await client.send('ZADD', ['tally:tasks', '0', id])
    await former.add('task', { payload, traceparent }, { jobId: id, timestamp: Date.now() })
    return id
  }
  const claimFormer = async (lease: string): Promise<Job> =>
    (await formerWorker.getNextJob(lease, { block: false })) as Job
  const waitForEnd = (id: string): Promise<Task> =>
    until(async () => {
      const task = await queue.find(id)
      return task !== undefined && isEnded(task) ? task : undefined
    })

  test('waiting tasks count, are listed, and run in their order, with their trace context', async () => {
    const ids = [await addFormer('"a"', '00-trace'), await addFormer('"b"')]
    const { task } = await queue.enqueue({ kind: 'analysis', payload: '"c"' })
    const urgent = await queue.enqueue({ kind: 'analysis', payload: '"urgent"', priority: 9 })
    expect(await queue.depth()).toBe(4)
    expect(await queue.stats()).toMatchObject({ waiting: 4, oldestWaitingMs: expect.any(Number) })
    expect((await queue.list({ limit: 10, status: 'pending' })).tasks).toHaveLength(4)
    expect(await queue.find(ids[0] as string)).toMatchObject({
      kind: 'analysis',
      priority: 5,
      status: 'pending',
    })
    const ran: (readonly [string, string | undefined])[] = []
    queue.consume(
      async ({ payload, traceparent }) => {
        ran.push([payload, traceparent])
        return '1'
      },
      { concurrency: 1, timeoutMs: 60_000 },
    )
    for (const id of [...ids, task.id, urgent.task.id])
      expect(await waitForEnd(id)).toMatchObject({ status: 'completed', attempts: 1 })
    expect(ran).toEqual([
      ['"urgent"', undefined],
      ['"a"', '00-trace'],
      ['"b"', undefined],
      ['"c"', undefined],
    ])
  })

  test('tasks in a back-off run, failed ones can be retried, waiting ones can be cancelled', async () => {
    const retried = await addFormer('"retried"')
    const job = await claimFormer('lease')
    job.opts = { ...job.opts, attempts: 1_000, backoff: { type: 'fixed', delay: 100 } }
    await job.moveToFailed(new Error('once'), 'lease', false)
    expect(await queue.find(retried)).toMatchObject({ status: 'pending', attempts: 1, error: 'once' })
    const failed = await addFormer('"failed"')
    const failing = await claimFormer('lease')
    await failing.moveToFailed(new Error('for good'), 'lease', false)
    expect(await queue.find(failed)).toMatchObject({ status: 'failed', error: 'for good' })
    const cancelled = await addFormer('"cancelled"')
    expect(await queue.cancel(cancelled)).toMatchObject({ status: 'cancelled' })
    queue.consume(async () => '1', { concurrency: 1, timeoutMs: 60_000 })
    expect(await waitForEnd(retried)).toMatchObject({ status: 'completed', attempts: 2 })
    expect(await queue.retry(failed)).toMatchObject({ status: 'pending', attempts: 0 })
    expect(await waitForEnd(failed)).toMatchObject({ status: 'completed', attempts: 1 })
    expect(await queue.find(cancelled)).toMatchObject({ status: 'cancelled', attempts: 0 })
  })

  test('the task of a former worker stays with it while it renews its lease, and runs again when it has died', async () => {
    const id = await addFormer('"held"')
    const job = await claimFormer('lease')
    const runs: string[] = []
    queue.consume(
      async ({ payload }) => {
        runs.push(payload)
        return '1'
      },
      { concurrency: 1, timeoutMs: 60_000 },
    )
    const start = performance.now()
    while (performance.now() - start < 3 * leaseMs) {
      await job.extendLock('lease', leaseMs)
      const { task } = await queue.enqueue({ kind: 'analysis', payload: '"other"' })
      await waitForEnd(task.id)
    }
    expect(runs).not.toContain('"held"')
    expect(await waitForEnd(id)).toMatchObject({ status: 'completed', attempts: 2 })
    expect(await rejectionOf(job.moveToCompleted('"late"', 'lease', false))).toBeInstanceOf(Error)
  })

  test('the stalled check of a former worker leaves running tasks alone', async () => {
    const { task } = await queue.enqueue({ kind: 'analysis', payload: '"long"' })
    const { promise: hold, resolve: release } = Promise.withResolvers<string>()
    queue.consume(() => hold, { concurrency: 1, timeoutMs: 60_000 })
    await until(async () => (await queue.find(task.id))?.status === 'processing')
    for (let check = 0; check < 3; check++) {
      await client.send('DEL', ['bull:tally:stalled-check'])
      await (formerWorker as unknown as { moveStalledJobsToWait(): Promise<void> }).moveStalledJobsToWait()
    }
    release('1')
    expect(await waitForEnd(task.id)).toMatchObject({ status: 'completed', attempts: 1 })
  })

  test('a former idempotency key repeats its answer, and adds a task that was not added before a crash', async () => {
    const key = { scope: 'tasks', key: 'k', fingerprint: 'f' }
    const id = await addFormer('"a"')
    const record = { fingerprint: 'f', id, now: 1_700_000_000_000 }
    const save = (saved: object) => client.send('SET', ['tally:idempotency:tasks:k', JSON.stringify(saved)])
    await save({ ...record, accepted: true })
    const replay = { task: { id, createdAt: record.now, runAt: record.now }, replayed: true }
    expect(await queue.enqueue({ kind: 'analysis', payload: '"a"' }, key)).toMatchObject(replay)
    await save({ ...record, accepted: false })
    expect(await queue.enqueue({ kind: 'analysis', payload: '"a"' }, key)).toMatchObject(replay)

    const missing = Bun.randomUUIDv7()
    await save({ ...record, id: missing, accepted: false })
    expect((await queue.enqueue({ kind: 'analysis', payload: '"b"' }, key)).task.id).toBe(missing)
    expect(await queue.find(missing)).toMatchObject({ status: 'pending', createdAt: record.now })
    expect(await queue.depth()).toBe(2)
  })
})
