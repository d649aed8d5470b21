import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { openTaskQueue } from '../../src/tasks/open.ts'
import type { QueueOptions } from '../../src/tasks/queue-options.ts'
import { isEnded, type NewTask, type Task } from '../../src/tasks/task.ts'
import type { TaskQueue } from '../../src/tasks/task-queue.ts'
import { haveRedis, type RedisServer, startRedis } from '../support/redis.ts'
import { canShiftClock, createShiftedClock, type ShiftedClock } from '../support/shifted-clock.ts'
import { until } from '../support/until.ts'

const twoHoursSeconds = 2 * 60 * 60
const hourMs = 60 * 60 * 1_000

describe.skipIf(!(haveRedis() && canShiftClock()))('the clock of Redis jumps by two hours', () => {
  let clock: ShiftedClock
  let server: RedisServer
  let queues: TaskQueue[] = []

  const open = async (options: Partial<QueueOptions> = {}): Promise<TaskQueue> => {
    const quick = { leaseMs: 600, initialBackoffMs: 400, maxAttempts: 3 }
    const queue = await openTaskQueue({ engine: 'redis', url: server.url }, { ...quick, ...options })
    queues.push(queue)
    return queue
  }
  const add = async (on: TaskQueue, payload: string, options: Partial<NewTask> = {}): Promise<string> =>
    (await on.enqueue({ kind: 'analysis', payload, ...options })).task.id
  const waitForEnd = (on: TaskQueue, id: string): Promise<Task> =>
    until(async () => {
      const task = await on.find(id)
      return task !== undefined && isEnded(task) ? task : undefined
    })

  beforeEach(async () => {
    clock = await createShiftedClock()
    server = await startRedis({ env: clock.env })
  })
  afterEach(async () => {
    await Promise.all(queues.map((queue) => queue.close()))
    queues = []
    await server.remove()
    await clock.remove()
  })

  describe.each([
    ['ahead', twoHoursSeconds],
    ['back', -twoHoursSeconds],
  ])('%s', (_, seconds) => {
    test('no task stays pending: due, delayed, after a failed attempt, added later', async () => {
      const queue = await open()
      const failing = await add(queue, '"fails once"')
      const runs: string[] = []
      queue.consume(
        async ({ payload, attempts }) => {
          runs.push(payload)
          if (payload === '"fails once"' && attempts === 1) throw new Error('no')
          return '1'
        },
        { concurrency: 1, timeoutMs: 60_000 },
      )
      await until(async () => (await queue.find(failing))?.error)
      await queue.setPaused(true)
      const ids = [failing, await add(queue, '"due"'), await add(queue, '"delayed"', { delayMs: 400 })]
      await clock.shift(seconds)
      ids.push(await add(queue, '"later"'), await add(queue, '"delayed later"', { delayMs: 100 }))
      await queue.setPaused(false)
      for (const id of ids) expect(await waitForEnd(queue, id)).toMatchObject({ status: 'completed' })
      expect(runs.toSorted()).toEqual(
        ['"delayed later"', '"delayed"', '"due"', '"fails once"', '"fails once"', '"later"'].toSorted(),
      )
    }, 30_000)

    test('a running task does not run a second time, and the task of a dead worker does', async () => {
      const options = { leaseMs: 600 }
      const instances = [await open(options), await open(options)] as const
      const { promise: hold, resolve: release } = Promise.withResolvers<string>()
      let runs = 0
      for (const on of instances)
        on.consume(
          ({ payload }) => {
            if (payload !== '"long"') return Promise.resolve('1')
            runs++
            return hold
          },
          { concurrency: 2, timeoutMs: 60_000 },
        )
      const id = await add(instances[0], '"long"')
      await until(() => runs === 1)
      await clock.shift(seconds)
      const start = performance.now()
      while (performance.now() - start < 3 * options.leaseMs)
        await waitForEnd(instances[0], await add(instances[0], '"short"'))
      release('"once"')
      expect(await waitForEnd(instances[0], id)).toMatchObject({ status: 'completed', attempts: 1 })
      expect(runs).toBe(1)

      // A lease without renewals, because its worker has died. The clock jumps again before it is found.
      const dead = await add(instances[0], '"of a dead worker"', { priority: 9 })
      const cli = new Bun.RedisClient(server.url)
      await until(async () => (await waitForEnd(instances[0], dead)).status === 'completed')
      await cli.send('ZREM', ['bull:tally:completed', dead])
      await cli.send('LPUSH', ['bull:tally:active', dead])
      await cli.send('SET', [`bull:tally:${dead}:lock`, 'dead', 'PX', `${24 * hourMs}`])
      await clock.shift(0)
      expect(await waitForEnd(instances[0], dead)).toMatchObject({ status: 'completed', attempts: 2 })
      cli.close()
    }, 30_000)
  })

  test('a task whose client chose the time waits for that time', async () => {
    const queue = await open()
    queue.consume(async () => '1', { concurrency: 1, timeoutMs: 60_000 })
    const planned = await add(queue, '"planned"', { runAt: Date.now() + hourMs })
    await clock.shift(-twoHoursSeconds)
    await waitForEnd(queue, await add(queue, '"after"', { delayMs: 100 }))
    // Longer than the interval between polls for delayed tasks.
    await waitForEnd(queue, await add(queue, '"after"', { delayMs: 1_000 }))
    expect(await queue.find(planned)).toMatchObject({ status: 'pending' })
    await clock.shift(twoHoursSeconds)
    await waitForEnd(queue, planned)
  }, 30_000)
})
