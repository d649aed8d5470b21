import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { createRedisRateLimiter } from '../../src/rate-limit/redis.ts'
import { openTaskQueue } from '../../src/tasks/open.ts'
import type { QueueOptions } from '../../src/tasks/queue-options.ts'
import type { TaskQueue } from '../../src/tasks/task-queue.ts'
import { haveRedis } from '../support/redis.ts'
import { type RedisCluster, startRedisCluster } from '../support/redis-cluster.ts'
import { until } from '../support/until.ts'
import { taskQueueContract } from './contract.ts'

setDefaultTimeout(120_000)

describe.skipIf(!haveRedis())('on Redis in cluster mode', () => {
  let cluster: RedisCluster
  beforeAll(async () => {
    cluster = await startRedisCluster()
  })
  afterAll(async () => await cluster.remove())

  const open = async (url: string, options?: Partial<QueueOptions>): Promise<TaskQueue> =>
    await openTaskQueue({ engine: 'redis', url }, options)
  const newTask = (text: string) => ({ kind: 'analysis', payload: JSON.stringify(text) })

  describe('the contract', () => {
    taskQueueContract(async () => ({
      open: (options) => open(cluster.primary.url, options),
      remove: () => cluster.flush(),
    }))
  })

  test('finds the primary from the name of a replica', async () => {
    const queue = await open(cluster.replica.url)
    await until(
      () =>
        queue.ping().then(
          () => true,
          () => false,
        ),
      { timeoutMs: 60_000 },
    )
    const { task } = await queue.enqueue(newTask('by the replica'))
    expect(await queue.find(task.id)).toMatchObject({ id: task.id, status: 'pending' })
    await queue.close()
    await cluster.flush()
  })

  test('keeps all keys in one slot, idempotency keys and quotas included', async () => {
    const queue = await open(cluster.primary.url)
    const limiter = createRedisRateLimiter({
      url: cluster.primary.url,
      rate: { quota: 1, windowMs: 60_000 },
      onFailOpen: () => {},
    })
    const record = { scope: 'key:a', key: 'once', fingerprint: 'f' }
    const first = await queue.enqueue(newTask('a'), record)
    const second = await queue.enqueue(newTask('a'), record)
    expect([second.replayed, second.task.id]).toEqual([true, first.task.id])
    // It fails open until it is connected.
    await until(async () => (await limiter.take('client')) !== undefined, { timeoutMs: 60_000 })
    const consumer = queue.consume(async () => 'done', { concurrency: 1, timeoutMs: 60_000 })
    await until(async () => (await queue.find(first.task.id))?.status === 'completed', { timeoutMs: 60_000 })
    const names = (await cluster.primary.send('KEYS', '*')).split('\n')
    expect(names).toEqual(
      expect.arrayContaining(['{tally}:tasks', '{tally}:idempotency:key%3Aa:once', '{tally}:rate:client']),
    )
    expect(names.filter((name) => !name.includes('{tally}'))).toEqual([])
    await consumer.release()
    limiter.close()
    await queue.close()
    await cluster.flush()
  })

  test('loses no accepted task and runs none twice while the roles change', async () => {
    const queue = await open(cluster.primary.url, { initialBackoffMs: 50 })
    const runs = new Map<string, number>()
    const consumer = queue.consume(
      async ({ payload }) => {
        runs.set(payload, (runs.get(payload) ?? 0) + 1)
        return 'done'
      },
      { concurrency: 4, timeoutMs: 60_000 },
    )
    const accepted: string[] = []
    let isOver = false
    const adding = (async () => {
      for (let n = 0; !isOver; n++)
        await queue.enqueue(newTask(`${n}`)).then(
          () => accepted.push(JSON.stringify(`${n}`)),
          // Refused: not accepted. The client would repeat it.
          async () => await Bun.sleep(20),
        )
    })()
    await until(() => accepted.length >= 20, { timeoutMs: 60_000 })
    const before = accepted.length
    await cluster.failOver()
    await until(() => accepted.length >= before + 20, { timeoutMs: 60_000 })
    isOver = true
    await adding
    await until(() => accepted.every((payload) => runs.has(payload)), { timeoutMs: 60_000 })
    expect([...runs].filter(([, count]) => count > 1)).toEqual([])
    await consumer.release()
    await queue.close()
    await cluster.flush()
  })
})
