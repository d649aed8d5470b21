import { afterEach, describe, expect, test } from 'bun:test'
import { type JobFailed, PoolFull, ThreadDied, ThreadPool } from '../../src/threads/thread-pool.ts'
import { until } from '../support/until.ts'

const pools: ThreadPool[] = []
let started = 0

function createPool(threadsMax = 2, waitingMax = 100): ThreadPool {
  started = 0
  const pool = new ThreadPool({
    start: () => {
      started++
      return new Worker(new URL('./echo-thread.ts', import.meta.url).href)
    },
    threadsMax,
    waitingMax,
  })
  pools.push(pool)
  return pool
}

afterEach(() => {
  for (const pool of pools.splice(0)) pool.close()
})

describe('a pool of threads', () => {
  test('gives each job its own result, on no more threads than it may', async () => {
    const pool = createPool(2)
    const texts = Array.from({ length: 50 }, (_, n) => `${n}`)
    expect(await Promise.all(texts.map((text) => pool.run(text)))).toEqual(texts)
    expect(started).toBe(2)
  })

  test('starts a thread only when there is a job for it', async () => {
    const pool = createPool(2)
    expect(started).toBe(0)
    await pool.run('a')
    await pool.run('b')
    expect(started).toBe(1)
  })

  test('tells the error of a job, and the thread goes on', async () => {
    const pool = createPool(1)
    await expect(pool.run('throw')).rejects.toMatchObject({
      errorName: 'RangeError',
      message: 'as told',
    } satisfies Partial<JobFailed>)
    expect(await pool.run('a')).toBe('a')
    expect(started).toBe(1)
  })

  test.each(['crash', 'exit'])(
    'a thread that dies (%s) takes its job with it and nothing else',
    async (death) => {
      const pool = createPool(1)
      const [died, ...others] = await Promise.allSettled([death, 'a', 'b'].map((text) => pool.run(text)))
      expect(died).toMatchObject({ status: 'rejected', reason: expect.any(ThreadDied) })
      expect(others.map((other) => other.status === 'fulfilled' && other.value)).toEqual(['a', 'b'])
    },
  )

  test('an aborted job ends, also in an endless loop, and the next one gets a thread', async () => {
    const pool = createPool(1)
    const controller = new AbortController()
    const looping = pool.run('loop', controller.signal)
    const next = pool.run('a')
    setTimeout(() => controller.abort(new Error('enough')), 20)
    await expect(looping).rejects.toThrow('enough')
    expect(await next).toBe('a')
  })

  test('a job that is aborted while it waits is never begun', async () => {
    const pool = createPool(1)
    const first = new AbortController()
    const looping = pool.run('loop', first.signal).catch((error) => error)
    const second = pool.run('crash', AbortSignal.abort(new Error('too late')))
    first.abort(new Error('enough'))
    await looping
    await expect(second).rejects.toThrow('too late')
    expect(await pool.run('a')).toBe('a')
  })

  test('one job more than may wait is refused', async () => {
    const pool = createPool(1, 1)
    const controller = new AbortController()
    const looping = pool.run('loop', controller.signal).catch((error) => error)
    const waiting = pool.run('a')
    await expect(pool.run('b')).rejects.toBeInstanceOf(PoolFull)
    controller.abort()
    await looping
    expect(await waiting).toBe('a')
  })

  test('closing ends what runs and what waits', async () => {
    const pool = createPool(1)
    const outcomes = Promise.allSettled([pool.run('loop'), pool.run('a')])
    await until(() => started === 1)
    pool.close()
    for (const outcome of await outcomes)
      expect(outcome).toMatchObject({ status: 'rejected', reason: expect.any(ThreadDied) })
    await expect(pool.run('b')).rejects.toBeInstanceOf(PoolFull)
  })

  test('this thread stays free while a job loops', async () => {
    const pool = createPool(1)
    const controller = new AbortController()
    const looping = pool.run('loop', controller.signal).catch((error) => error)
    let turns = 0
    await until(() => ++turns > 20)
    controller.abort()
    await looping
  })
})
