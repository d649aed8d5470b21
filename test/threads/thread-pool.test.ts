import { afterEach, describe, expect, test } from 'bun:test'
import {
  type JobFailed,
  JobTimedOut,
  PoolFull,
  ThreadPool,
  WorkerExited,
} from '../../src/threads/thread-pool.ts'
import { until } from '../support/until.ts'

const pools: ThreadPool<string>[] = []
let started = 0

function createPool(
  maxThreads = 2,
  maxWaiting = 100,
  idleMs = 60_000,
  onStart: (thread: Worker) => void = () => {},
): ThreadPool<string> {
  started = 0
  const pool = new ThreadPool<string>({
    start: () => {
      started++
      const thread = new Worker(new URL('./echo-thread.ts', import.meta.url).href)
      onStart(thread)
      return thread
    },
    maxThreads,
    maxWaiting,
    idleMs,
  })
  pools.push(pool)
  return pool
}

afterEach(() => {
  for (const pool of pools.splice(0)) pool.close()
})

describe('ThreadPool', () => {
  test('returns each job its own result, on at most maxThreads threads', async () => {
    const pool = createPool(2)
    const texts = Array.from({ length: 50 }, (_, n) => `${n}`)
    expect(await Promise.all(texts.map((text) => pool.run<string>(text)))).toEqual(texts)
    expect(started).toBe(2)
  })

  test('starts a thread only for a job', async () => {
    const pool = createPool(2)
    expect(started).toBe(0)
    await pool.run('a')
    await pool.run('b')
    expect(started).toBe(1)
  })

  test('rejects with the error of the job and keeps the thread', async () => {
    const pool = createPool(1)
    await expect(pool.run('throw')).rejects.toMatchObject({
      errorName: 'RangeError',
      message: 'requested',
    } satisfies Partial<JobFailed>)
    expect(await pool.run('a')).toBe('a')
    expect(started).toBe(1)
  })

  test.each(['crash', 'exit'])('a thread that exits (%s) fails only its own job', async (exit) => {
    const pool = createPool(1)
    const [failed, ...others] = await Promise.allSettled([exit, 'a', 'b'].map((text) => pool.run(text)))
    expect(failed).toMatchObject({ status: 'rejected', reason: expect.any(WorkerExited) })
    expect(others.map((other) => other.status === 'fulfilled' && other.value)).toEqual(['a', 'b'])
  })

  test('abort ends even an endless loop, and the next job gets a thread', async () => {
    const pool = createPool(1)
    const controller = new AbortController()
    const looping = pool.run('loop', { signal: controller.signal })
    const next = pool.run('a')
    setTimeout(() => controller.abort(new Error('enough')), 20)
    await expect(looping).rejects.toThrow('enough')
    expect(await next).toBe('a')
  })

  test('never starts a job with an aborted signal', async () => {
    const pool = createPool(1)
    const first = new AbortController()
    const looping = pool.run('loop', { signal: first.signal }).catch((error) => error)
    const second = pool.run('crash', { signal: AbortSignal.abort(new Error('too late')) })
    first.abort(new Error('enough'))
    await looping
    await expect(second).rejects.toThrow('too late')
    expect(await pool.run('a')).toBe('a')
  })

  test('abort rejects a waiting job at once and frees its place', async () => {
    const pool = createPool(1, 1)
    const running = new AbortController()
    const looping = pool.run('loop', { signal: running.signal }).catch((error) => error)
    const waiting = new AbortController()
    const waited = pool.run('a', { signal: waiting.signal })
    waiting.abort(new Error('left'))
    await expect(waited).rejects.toThrow('left')
    const next = pool.run<string>('b')
    running.abort()
    await looping
    expect(await next).toBe('b')
  })

  test('lanes take turns: a job waits for at most one job of another lane', async () => {
    const pool = createPool(1)
    const done: string[] = []
    const run = (text: string, lane: string) => pool.run<string>(text, { lane }).then((one) => done.push(one))
    await Promise.all([
      ...['t1', 't2', 't3', 't4'].map((text) => run(text, 'tasks')),
      run('r1', 'requests'),
      run('r2', 'requests'),
    ])
    // t1 starts at once; then the lanes alternate.
    expect(done).toEqual(['t1', 't2', 'r1', 't3', 'r2', 't4'])
  })

  test('a job that exceeds its timeout fails and ends its thread; time in the queue does not count', async () => {
    const pool = createPool(1)
    const slow = pool.run('loop', { timeoutMs: 300 })
    const next = pool.run<string>('b', { timeoutMs: 20_000 })
    await expect(slow).rejects.toBeInstanceOf(JobTimedOut)
    expect(await next).toBe('b')
    expect(started).toBe(2)
  })

  test('the timeout of a job starts when its thread is ready', async () => {
    const pool = new ThreadPool<string>({
      start: () => new Worker(new URL('./slow-start-thread.ts', import.meta.url).href),
      announcesReady: true,
      maxThreads: 1,
      maxWaiting: 10,
      idleMs: 60_000,
    })
    pools.push(pool)
    // The start alone takes longer than the timeout.
    expect(await pool.run<string>('a', { timeoutMs: 300 })).toBe('a')
    await expect(pool.run('loop', { timeoutMs: 300 })).rejects.toBeInstanceOf(JobTimedOut)
    expect(await pool.run<string>('b', { timeoutMs: 300 })).toBe('b')
  })

  test('warmUp starts one thread, which runs the next job', async () => {
    const pool = createPool(2)
    pool.warmUp()
    pool.warmUp()
    expect(started).toBe(1)
    await pool.run('a')
    expect(started).toBe(1)
  })

  test('terminates an idle thread, and the next job gets a new one', async () => {
    const ended: unknown[] = []
    const pool = createPool(1, 1, 10, (thread) => thread.addEventListener('close', () => ended.push(thread)))
    expect(await pool.run<string>('a')).toBe('a')
    await until(() => ended.length === 1)
    expect(await pool.run<string>('b')).toBe('b')
    expect(started).toBe(2)
  })

  test('a thread that cannot start fails only its own job', async () => {
    const pool = createPool(1, 1, 60_000, (thread) => {
      if (started > 1) return
      thread.terminate()
      throw new Error('no more threads')
    })
    await expect(pool.run('a')).rejects.toThrow('no more threads')
    expect(await pool.run<string>('b')).toBe('b')
  })

  test('transferred buffers move to the thread', async () => {
    const pool = createPool(1)
    const buffer = new ArrayBuffer(8)
    await pool.run('a', { transfer: [buffer] })
    expect(buffer.byteLength).toBe(0)
  })

  test('rejects with PoolFull at capacity', async () => {
    const pool = createPool(1, 1)
    const controller = new AbortController()
    const looping = pool.run('loop', { signal: controller.signal }).catch((error) => error)
    const waiting = pool.run('a')
    await expect(pool.run('b')).rejects.toBeInstanceOf(PoolFull)
    controller.abort()
    await looping
    expect(await waiting).toBe('a')
  })

  test('close rejects running, waiting and later jobs', async () => {
    const pool = createPool(1)
    const results = Promise.allSettled([pool.run('loop'), pool.run('a')])
    await until(() => started === 1)
    pool.close()
    for (const result of await results)
      expect(result).toMatchObject({ status: 'rejected', reason: expect.any(WorkerExited) })
    await expect(pool.run('b')).rejects.toBeInstanceOf(PoolFull)
  })

  test('the event loop stays free while a job loops', async () => {
    const pool = createPool(1)
    const controller = new AbortController()
    const looping = pool.run('loop', { signal: controller.signal }).catch((error) => error)
    let turns = 0
    await until(() => ++turns > 20)
    controller.abort()
    await looping
  })
})
