import { describe, expect, test } from 'bun:test'
import { type RunReport, type TaskQueue, UnrecoverableTask } from '../../src/tasks/task-queue.ts'
import { until } from '../support/until.ts'
import { hangUntilAborted, type QueueFixture } from './contract-fixture.ts'

/** The promises of `TaskQueue` about statistics, retrying all failed tasks, and pausing. */
export function insightContract(fixture: QueueFixture): void {
  const { open, consume, waitForEnd, add } = fixture

  describe('stats', () => {
    test('an empty queue has no tasks and no workers', async () => {
      expect(await fixture.queue.stats()).toEqual({
        waiting: 0,
        delayed: 0,
        processing: 0,
        completed: 0,
        failed: 0,
        cancelled: 0,
        oldestWaitingMs: undefined,
        completedLastMinute: 0,
        paused: false,
        workers: [],
      })
    })

    test('counts the tasks of each state, on every instance', async () => {
      const consumer = consume(async ({ payload }) => {
        if (payload === '"fail"') throw new UnrecoverableTask('no')
        return '1'
      })
      for (const payload of ['"fail"', '"a"', '"b"']) await waitForEnd(await add(payload))
      await consumer.finish()
      const running = consume(hangUntilAborted, { concurrency: 1 })
      await add('"running"')
      await until(() => running.activeCount === 1)
      await fixture.queue.cancel(await add('"cancelled"'))
      await add('"delayed"', { delayMs: 60_000 })
      for (let n = 0; n < 4; n++) await add('"waiting"')
      for (const queue of [fixture.queue, await open()])
        expect(await queue.stats()).toMatchObject({
          waiting: 4,
          delayed: 1,
          processing: 1,
          completed: 2,
          failed: 1,
          cancelled: 1,
          completedLastMinute: 2,
        })
    })

    test('the oldest waiting task is the one that has been due for longest, with any priority', async () => {
      await add('"due soon"', { delayMs: 2_000 })
      expect((await fixture.queue.stats()).oldestWaitingMs).toBeUndefined()
      // No worker could make it claimable.
      const { oldestWaitingMs } = await until(async () => {
        const stats = await fixture.queue.stats()
        return (stats.oldestWaitingMs ?? -1) >= 100 && stats
      })
      expect(await fixture.queue.stats()).toMatchObject({ waiting: 1, delayed: 0 })
      const high = await add('"high"', { priority: 9 })
      const stats = await fixture.queue.stats()
      expect(stats.oldestWaitingMs).toBeGreaterThanOrEqual(oldestWaitingMs as number)
      await fixture.queue.cancel(high)
      consume(async () => '1')
      await until(async () => (await fixture.queue.stats()).oldestWaitingMs === undefined)
    })

    test('a run reports how long its task waited, without its delay', async () => {
      const runs: RunReport[] = []
      const { task } = await fixture.queue.enqueue({ kind: 'analysis', payload: '1' })
      const { task: delayed } = await fixture.queue.enqueue({ kind: 'analysis', payload: '2', delayMs: 300 })
      await until(() => Date.now() >= task.createdAt + 150)
      const startedAt = new Map<string, number>()
      const handler = async ({ id }: { id: string }) => {
        startedAt.set(id, Date.now())
        return '1'
      }
      consume(handler, { onRunEnd: (run) => runs.push(run) })
      await until(() => runs.length === 2)
      // The clock of the queue and the one of the test may differ a little.
      for (const [{ id, runAt }, shortestMs] of [
        [task, 140],
        [delayed, 0],
      ] as const) {
        const waitMs = runs.find((run) => run.task.id === id)?.waitMs
        expect(waitMs).toBeWithin(shortestMs, (startedAt.get(id) ?? 0) - runAt + 10)
      }
    })

    test('shows the workers, their running tasks, and when they have exited', async () => {
      // Heartbeats are far apart, so that a slow machine does not miss three of them.
      const [one, other] = [await open({ leaseMs: 120_000 }), await open({ leaseMs: 120_000 })]
      const worker = { name: 'worker-1', version: '1.2.3' }
      const first = consume(hangUntilAborted, { concurrency: 3, worker }, one)
      const second = consume(
        hangUntilAborted,
        { concurrency: 1, worker: { ...worker, name: 'worker-2' } },
        other,
      )
      const findWorkers = async (queue: TaskQueue) =>
        [...(await queue.stats()).workers].sort((a, b) => (a.name < b.name ? -1 : 1))
      await until(async () => (await findWorkers(one)).length === 2)
      const ids = [await add(), await add(), await add(), await add()]
      await until(() => first.activeCount + second.activeCount === 4)
      const workers = await findWorkers(other)
      expect(workers).toMatchObject([
        { name: 'worker-1', version: '1.2.3', concurrency: 3 },
        { name: 'worker-2', version: '1.2.3', concurrency: 1 },
      ])
      expect(workers.flatMap(({ taskIds }) => taskIds).sort()).toEqual(ids.toSorted())
      expect(workers.map(({ taskIds }) => taskIds.length)).toEqual([3, 1])
      expect(Math.abs((workers[0]?.seenAt ?? 0) - Date.now())).toBeLessThan(10_000)
      await first.release()
      expect((await findWorkers(one)).map(({ name }) => name)).toEqual(['worker-2'])
      for (const id of ids) await one.cancel(id)
      await second.finish()
      expect(await findWorkers(one)).toEqual([])
    })

    test('a live worker stays visible beyond three heartbeats', async () => {
      const brief = await open({ leaseMs: 300 })
      consume(async () => '1', { worker: { name: 'steady', version: '1' } }, brief)
      const first = await until(async () => (await brief.stats()).workers[0])
      await until(async () => ((await brief.stats()).workers[0]?.seenAt ?? 0) > first.seenAt + 400)
    })
  })

  describe('retryFailed', () => {
    const failTasks = async (count: number): Promise<string[]> => {
      const consumer = consume(() => Promise.reject(new UnrecoverableTask('no')), { concurrency: 1 })
      const ids: string[] = []
      for (let n = 0; n < count; n++) ids.push(await add(`${n}`))
      for (const id of ids) await waitForEnd(id)
      await consumer.finish()
      return ids
    }

    test('makes all failed tasks pending again, with all attempts, and no others', async () => {
      const failed = await failTasks(5)
      const cancelled = await add()
      await fixture.queue.cancel(cancelled)
      expect(await fixture.queue.retryFailed()).toBe(5)
      for (const id of failed)
        expect(await fixture.queue.find(id)).toMatchObject({ status: 'pending', attempts: 0 })
      expect(await fixture.queue.find(cancelled)).toMatchObject({ status: 'cancelled' })
      expect(await fixture.queue.retryFailed()).toBe(0)
      consume(async () => '1')
      for (const id of failed)
        expect(await waitForEnd(id)).toMatchObject({ status: 'completed', attempts: 1 })
    })

    test('takes the oldest tasks up to its limit', async () => {
      const failed = await failTasks(5)
      expect(await fixture.queue.retryFailed(2)).toBe(2)
      const statuses = await Promise.all(failed.map(async (id) => (await fixture.queue.find(id))?.status))
      expect(statuses).toEqual(['pending', 'pending', 'failed', 'failed', 'failed'])
    })

    test('an idle consumer runs them soon', async () => {
      const failed = await failTasks(1)
      consume(async () => '1', {}, await open())
      await fixture.queue.retryFailed()
      expect(await waitForEnd(failed[0] as string)).toMatchObject({ status: 'completed' })
    })
  })

  describe('setPaused', () => {
    test('no instance claims while the queue is paused, running tasks finish, and tasks are accepted', async () => {
      const other = await open()
      const { promise: hold, resolve: release } = Promise.withResolvers<string>()
      const running = await add('"running"')
      const handler = ({ payload }: { payload: string }) =>
        payload === '"running"' ? hold : Promise.resolve('1')
      const consumers = [consume(handler), consume(handler, {}, other)]
      await until(() => consumers.some(({ activeCount }) => activeCount === 1))
      await other.setPaused(true)
      expect((await fixture.queue.stats()).paused).toBe(true)
      // A claim in flight may still have succeeded. The next tasks show that all claims have seen the pause.
      const ids = [await add('"a"'), await add('"b"')]
      release('1')
      await waitForEnd(running)
      expect(await fixture.queue.depth()).toBe(2)
      // A restart does not end it.
      const third = await open()
      consume(handler, {}, third)
      expect((await third.stats()).paused).toBe(true)
      await until(async () => (await third.stats()).workers.length === 3)
      expect(await third.depth()).toBe(2)
      await fixture.queue.setPaused(false)
      expect((await other.stats()).paused).toBe(false)
      for (const id of ids) await waitForEnd(id)
    })

    test('a second pause changes nothing, and one resume ends it', async () => {
      await fixture.queue.setPaused(true)
      await fixture.queue.setPaused(true)
      const id = await add()
      consume(async () => '1')
      await fixture.queue.setPaused(false)
      await waitForEnd(id)
    })
  })
}
