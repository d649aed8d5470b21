import { describe, expect, test } from 'bun:test'
import type { Idempotency } from '../../src/database/idempotency.ts'
import type { QueueOptions } from '../../src/tasks/queue-options.ts'
import type { NewTask, Task } from '../../src/tasks/task.ts'
import { QueueFull } from '../../src/tasks/task-queue.ts'
import { rejectionOf } from '../support/rejection.ts'
import { until } from '../support/until.ts'
import { hangUntilAborted, type QueueFixture } from './contract-fixture.ts'

const twoHoursMs = 2 * 60 * 60 * 1_000

/** The promises of `TaskQueue` about priorities, delays and clocks. */
export function scheduleContract(fixture: QueueFixture): void {
  const { open, consume, waitForEnd, add } = fixture
  /** Runs all tasks one after the other, and returns their payloads in that order. */
  const runInOrder = async (ids: readonly string[]): Promise<string[]> => {
    const order: string[] = []
    const consumer = consume(
      async ({ payload }) => {
        order.push(payload)
        return '1'
      },
      { concurrency: 1 },
    )
    for (const id of ids) await waitForEnd(id)
    await consumer.finish()
    return order
  }

  describe('priorities', () => {
    test('a task has the kind, the priority and the due time of its caller, or the defaults', async () => {
      const runAt = Date.now() + 60_000
      const planned = await fixture.queue.enqueue({ kind: 'report', payload: '1', priority: 7, runAt })
      expect(planned.task).toMatchObject({ kind: 'report', priority: 7, runAt, status: 'pending' })
      expect(await fixture.queue.find(planned.task.id)).toEqual(planned.task)
      const { task } = await fixture.queue.enqueue({ kind: 'analysis', payload: '1' })
      expect(task).toMatchObject({ kind: 'analysis', priority: 5, runAt: task.createdAt })
      expect((await fixture.queue.list({ limit: 2 })).tasks).toEqual([task, planned.task])
      const seen = Promise.withResolvers<Task>()
      consume(async (task) => {
        seen.resolve(task)
        return '1'
      })
      expect(await seen.promise).toMatchObject({ id: task.id, kind: 'analysis', priority: 5 })
    })

    test('a higher priority is claimed first, and within one the order of arrival decides', async () => {
      const priorities = [5, 0, 9, 5, 1, 9, undefined, 0]
      const ids: string[] = []
      for (const [n, priority] of priorities.entries())
        ids.push(await add(`"${priority}-${n}"`, { priority }))
      expect(await runInOrder(ids)).toEqual(
        ['9-2', '9-5', '5-0', '5-3', 'undefined-6', '1-4', '0-1', '0-7'].map((name) => `"${name}"`),
      )
    })

    test('a released task keeps its priority', async () => {
      const high = await add('"high"', { priority: 9 })
      const consumer = consume(hangUntilAborted, { concurrency: 1 })
      await until(() => consumer.activeCount === 1)
      await consumer.release()
      const low = await add('"low"', { priority: 4 })
      const middle = await add('"middle"', { priority: 6 })
      expect(await runInOrder([high, low, middle])).toEqual(['"high"', '"middle"', '"low"'])
    })

    test('a task that failed once keeps its priority', async () => {
      const id = await add('"a"', { priority: 9 })
      const attempts: number[] = []
      consume(async ({ priority, attempts: attempt }) => {
        attempts.push(attempt)
        if (attempt === 1) throw new Error('no')
        return String(priority)
      })
      expect(await waitForEnd(id)).toMatchObject({ priority: 9, result: '9' })
      expect(attempts).toEqual([1, 2])
    })
  })

  describe('delays', () => {
    test.each([
      ['delayMs', (ms: number) => ({ delayMs: ms })],
      ['runAt', (ms: number) => ({ runAt: Date.now() + ms })],
    ] as [string, (ms: number) => Partial<NewTask>][])(
      'a task with %s runs when it is due, not before',
      async (_, when) => {
        const started = Promise.withResolvers<number>()
        consume(async ({ payload }) => {
          if (payload === '"delayed"') started.resolve(Date.now())
          return '1'
        })
        const later = await add('"later"', when(60_000))
        const { task } = await fixture.queue.enqueue({
          kind: 'analysis',
          payload: '"delayed"',
          ...when(300),
        })
        expect(task.runAt - task.createdAt).toBeWithin(0, 301)
        // The clock of the queue and the one of the test may differ a little.
        expect((await started.promise) - task.runAt).toBeGreaterThanOrEqual(-5)
        await waitForEnd(await add('"other"'))
        expect(await fixture.queue.find(later)).toMatchObject({ status: 'pending', attempts: 0 })
      },
    )

    test('a task whose time is in the past is due at once', async () => {
      const { task } = await fixture.queue.enqueue({ kind: 'analysis', payload: '1', runAt: 1_000 })
      expect(task.runAt).toBe(task.createdAt)
      consume(async () => '1')
      await waitForEnd(task.id)
    })

    test('within a priority the due time decides, not the order of arrival', async () => {
      const last = await add('"last"', { delayMs: 1_000 })
      const first = await add('"first"', { delayMs: 20 })
      const urgent = await add('"urgent"', { delayMs: 60, priority: 6 })
      await until(async () => (await fixture.queue.stats()).delayed === 0)
      // Makes them claimable while none is claimed.
      await fixture.queue.setPaused(true)
      const consumer = consume(async () => '1')
      await consumer.finish()
      await fixture.queue.setPaused(false)
      const order = await runInOrder([first, last, urgent])
      expect(order).toEqual(['"urgent"', '"first"', '"last"'])
    })

    test('delayed tasks of a high priority do not hold up a task that is due', async () => {
      await Promise.all(Array.from({ length: 200 }, () => add('"later"', { priority: 9, delayMs: 60_000 })))
      const due = await add('"now"', { priority: 0 })
      expect(await runInOrder([due])).toEqual(['"now"'])
    })

    test('delayed tasks count in depth and towards the capacity', async () => {
      const small = await open({ capacity: 2 })
      await add('"a"', { delayMs: 60_000 })
      await add('"b"', { runAt: Date.now() + 60_000 })
      expect(await small.depth()).toBe(2)
      expect(await rejectionOf(small.enqueue({ kind: 'analysis', payload: '1' }))).toBeInstanceOf(QueueFull)
    })

    test('a delay survives the closing of its queue', async () => {
      const { task } = await fixture.queue.enqueue({ kind: 'analysis', payload: '"a"', delayMs: 300 })
      await fixture.queue.close()
      const other = await open()
      const started = Promise.withResolvers<number>()
      const handler = async () => {
        started.resolve(Date.now())
        return '1'
      }
      consume(handler, {}, other)
      expect((await started.promise) - task.runAt).toBeGreaterThanOrEqual(-5)
      expect(await waitForEnd(task.id, other)).toMatchObject({ runAt: task.runAt })
    })

    test('a repeated idempotency key repeats the due time and the priority', async () => {
      const key: Idempotency = { scope: 'tasks', key: 'k', fingerprint: 'f' }
      const planned = { kind: 'analysis', payload: '1', priority: 8, delayMs: 60_000 }
      const first = await fixture.queue.enqueue(planned, key)
      expect(await (await open()).enqueue(planned, key)).toEqual({ task: first.task, replayed: true })
    })
  })

  describe.each([
    ['a process', undefined],
    ...(fixture.jumpServerClock === undefined ? [] : ([['the server', fixture.jumpServerClock]] as const)),
  ] as const)('the clock of %s jumps by two hours', (_, jumpServerClock) => {
    /** Opens instances whose clock, or whose server's clock, jumps when `jump` is called. */
    const openJumping = async (options: Partial<QueueOptions>) => {
      let offsetMs = 0
      const now = () => Date.now() + offsetMs
      return {
        instances: [await open({ ...options, now }), await open({ ...options, now })] as const,
        async jump(ms: number): Promise<void> {
          if (jumpServerClock === undefined) offsetMs = ms
          else await jumpServerClock(ms)
        },
      }
    }

    test.each([
      ['ahead', twoHoursMs],
      ['back', -twoHoursMs],
    ])('%s: nothing stays pending', async (_, jumpMs) => {
      const {
        instances: [jumping],
        jump,
      } = await openJumping({ initialBackoffMs: 100 })
      const addOn = async (payload: string, options: Partial<NewTask> = {}) =>
        (await jumping.enqueue({ kind: 'analysis', payload, ...options })).task.id
      const failing = await addOn('"fails once"')
      const consumer = consume(() => Promise.reject(new Error('no')), { concurrency: 1 }, jumping)
      await until(async () => (await jumping.find(failing))?.error)
      await consumer.finish()
      const ids = [failing, await addOn('"due"'), await addOn('"delayed"', { delayMs: 200 })]
      await jump(jumpMs)
      ids.push(await addOn('"added after"'))
      consume(async () => '1', {}, jumping)
      for (const id of ids) expect(await waitForEnd(id, jumping)).toMatchObject({ status: 'completed' })
    })

    test.each([
      ['ahead', twoHoursMs],
      ['back', -twoHoursMs],
    ])('%s: nothing runs twice', async (_, jumpMs) => {
      const leaseMs = 600
      const { instances, jump } = await openJumping({ leaseMs })
      const { promise: hold, resolve: release } = Promise.withResolvers<string>()
      let runs = 0
      for (const on of instances)
        consume(
          ({ payload }) => {
            if (payload !== '"long"') return Promise.resolve('1')
            runs++
            return hold
          },
          {},
          on,
        )
      const id = await add('"long"')
      await until(() => runs === 1)
      await jump(jumpMs)
      // Longer than a lease: a worker that trusted the clock would have claimed the task by now.
      const start = performance.now()
      while (performance.now() - start < 3 * leaseMs) await waitForEnd(await add('"short"'))
      release('"once"')
      expect(await waitForEnd(id)).toMatchObject({ status: 'completed', attempts: 1, result: '"once"' })
      expect(runs).toBe(1)
    })

    test('back: live workers stay visible, and a chosen time is kept', async () => {
      const {
        instances: [jumping],
        jump,
      } = await openJumping({ leaseMs: 300 })
      consume(async () => '1', { worker: { name: 'steady', version: '1' } }, jumping)
      const { task } = await jumping.enqueue({ kind: 'analysis', payload: '1', runAt: Date.now() + 3_000 })
      await jump(-twoHoursMs)
      await until(async () => (await jumping.stats()).workers.some(({ name }) => name === 'steady'))
      expect(await jumping.stats()).toMatchObject({ waiting: 0, delayed: 1 })
      await jump(0)
      expect(await waitForEnd(task.id, jumping)).toMatchObject({ status: 'completed', runAt: task.runAt })
    })
  })
}
