import { describe, expect, test } from 'bun:test'
import type { Task } from '../../src/tasks/task.ts'
import {
  QueueFull,
  type RunReport,
  TaskEnded,
  TaskNotFailed,
  UnrecoverableTask,
} from '../../src/tasks/task-queue.ts'
import { rejectionOf } from '../support/rejection.ts'
import { until } from '../support/until.ts'
import { hangUntilAborted, type QueueFixture } from './contract-fixture.ts'

/** The promises of `TaskQueue.cancel`. */
export function cancelContract(fixture: QueueFixture): void {
  const { open, consume, waitForEnd, add } = fixture

  describe('cancel', () => {
    test('a cancelled task that is pending never runs, and no longer counts', async () => {
      const id = await add('"cancelled"')
      expect(await fixture.queue.cancel(id)).toMatchObject({ id, status: 'cancelled', attempts: 0 })
      expect(await fixture.queue.depth()).toBe(0)
      const ran: string[] = []
      consume(async ({ payload }) => {
        ran.push(payload)
        return '1'
      })
      await waitForEnd(await add('"other"'))
      expect(ran).toEqual(['"other"'])
      const cancelled = await fixture.queue.find(id)
      expect(cancelled).toMatchObject({ status: 'cancelled', attempts: 0, result: undefined })
      expect((await fixture.queue.list({ limit: 10, status: 'cancelled' })).tasks).toEqual([
        cancelled as Task,
      ])
    })

    test('a cancelled task that is delayed, or waits for its next attempt, never runs', async () => {
      const delayed = await add('"delayed"', { delayMs: 100 })
      await fixture.queue.cancel(delayed)
      const failing = await add('"failing"')
      const slow = await open({ initialBackoffMs: 1_000, random: () => 1 })
      const ran: string[] = []
      consume(
        ({ payload }) => {
          ran.push(payload)
          return payload === '"failing"' ? Promise.reject(new Error('no')) : Promise.resolve('1')
        },
        {},
        slow,
      )
      await until(async () => (await fixture.queue.find(failing))?.error)
      await fixture.queue.cancel(failing)
      // After the next attempt would have been due.
      await waitForEnd(await add('"later"', { delayMs: 1_100 }))
      expect(ran).toEqual(['"failing"', '"later"'])
      for (const id of [delayed, failing])
        expect(await fixture.queue.find(id)).toMatchObject({ status: 'cancelled' })
    })

    test('a running task is aborted long before its lease is renewed, from any instance', async () => {
      // Renewals are far away, so only the notification can be the reason.
      const patient = await open({ leaseMs: 120_000 })
      const other = await open()
      for (const canceller of [patient, other]) {
        const id = await add()
        const runs: RunReport[] = []
        const consumer = consume(hangUntilAborted, { onRunEnd: (run) => runs.push(run) }, patient)
        await until(() => consumer.activeCount === 1)
        expect(await canceller.cancel(id)).toMatchObject({ status: 'cancelled', result: undefined })
        expect(await until(() => runs[0])).toMatchObject({ outcome: 'cancelled', task: { id } })
        await consumer.finish()
        expect(await fixture.queue.find(id)).toMatchObject({ status: 'cancelled', attempts: 1 })
      }
    })

    test('the result of a cancelled task is not recorded, and the worker continues', async () => {
      const id = await add('"slow"')
      const { promise: hold, resolve: release } = Promise.withResolvers<string>()
      const outcomes: RunReport['outcome'][] = []
      consume(({ payload }) => (payload === '"slow"' ? hold : Promise.resolve('"other"')), {
        concurrency: 1,
        onRunEnd: ({ outcome }) => outcomes.push(outcome),
      })
      await until(async () => (await fixture.queue.find(id))?.status === 'processing')
      const cancelled = await fixture.queue.cancel(id)
      release('"late"')
      await waitForEnd(await add('"fast"'))
      await until(() => outcomes.length === 2)
      expect(outcomes).toEqual(['cancelled', 'completed'])
      expect(await fixture.queue.find(id)).toEqual(cancelled)
    })

    test('cancelling again returns the same task, also of 20 calls at once', async () => {
      const id = await add()
      const first = await fixture.queue.cancel(id)
      expect(await fixture.queue.cancel(id)).toEqual(first)
      const another = await add()
      const other = await open()
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, n) => (n % 2 ? other : fixture.queue).cancel(another)),
      )
      expect(new Set(answers.map((task) => JSON.stringify(task))).size).toBe(1)
      expect(answers[0]).toMatchObject({ id: another, status: 'cancelled' })
    })

    test('cancel rejects a task that has ended with TaskEnded', async () => {
      const ids = [await add('"a"'), await add('"b"')] as const
      consume(async ({ payload }) => {
        if (payload === '"b"') throw new UnrecoverableTask('no')
        return '1'
      })
      for (const id of ids) await waitForEnd(id)
      for (const [id, status] of [
        [ids[0], 'completed'],
        [ids[1], 'failed'],
      ] as const) {
        const error = await fixture.queue.cancel(id).catch((error: Error) => error)
        expect(error).toBeInstanceOf(TaskEnded)
        expect(error).toMatchObject({ status, code: 'task-ended' })
        expect(await fixture.queue.find(id)).toMatchObject({ status })
      }
    })

    test('a cancelled task cannot be retried', async () => {
      const id = await add()
      await fixture.queue.cancel(id)
      expect(await rejectionOf(fixture.queue.retry(id))).toBeInstanceOf(TaskNotFailed)
      expect(await fixture.queue.find(id)).toMatchObject({ status: 'cancelled' })
    })

    test('when cancels race with claims and results, each task ends once, with the outcome that its caller got', async () => {
      const outcomes = new Map<string, RunReport['outcome'][]>()
      const other = await open()
      const onRunEnd = ({ task, outcome }: RunReport) =>
        outcomes.set(task.id, [...(outcomes.get(task.id) ?? []), outcome])
      const consumers = [fixture.queue, other].map((on) =>
        consume(async () => '"done"', { concurrency: 4, onRunEnd }, on),
      )
      const ids: string[] = []
      const cancelled = new Set<string>()
      for (let round = 0; round < 10; round++) {
        const added = await Promise.all(Array.from({ length: 20 }, () => add()))
        ids.push(...added)
        // Each one meets its task in another state: pending, being claimed, running, being recorded, or completed.
        await Promise.all(
          added.map(async (id, n) => {
            const canceller = n % 2 ? other : fixture.queue
            const task = await canceller.cancel(id).catch((error) => {
              if (!(error instanceof TaskEnded)) throw error
              return undefined
            })
            if (task !== undefined) cancelled.add(id)
          }),
        )
      }
      for (const id of ids) await waitForEnd(id)
      await Promise.all(consumers.map((consumer) => consumer.finish()))
      for (const id of ids) {
        const task = await fixture.queue.find(id)
        expect(task?.status).toBe(cancelled.has(id) ? 'cancelled' : 'completed')
        expect(task?.result).toBe(cancelled.has(id) ? undefined : '"done"')
        const completions = (outcomes.get(id) ?? []).filter((outcome) => outcome === 'completed')
        expect(completions).toHaveLength(cancelled.has(id) ? 0 : 1)
      }
      expect(cancelled.size).toBeGreaterThan(0)
    })

    test('a watcher sees that a pending and a running task were cancelled, and ends', async () => {
      const other = await open()
      const consumer = consume(hangUntilAborted, { concurrency: 1 })
      const [running, pending] = [await add(), await add()] as const
      await until(async () => (await fixture.queue.find(running))?.status === 'processing')
      const seen = [running, pending].map((id) =>
        Array.fromAsync(other.watch(id, AbortSignal.timeout(20_000))),
      )
      await fixture.queue.cancel(pending)
      await fixture.queue.cancel(running)
      for (const tasks of await Promise.all(seen)) expect(tasks.at(-1)).toMatchObject({ status: 'cancelled' })
      await consumer.finish()
    })

    test('a cancelled task makes room in a full queue', async () => {
      const small = await open({ capacity: 1 })
      const id = await add('"a"')
      expect(await rejectionOf(small.enqueue({ kind: 'analysis', payload: '"b"' }))).toBeInstanceOf(QueueFull)
      await small.cancel(id)
      await small.enqueue({ kind: 'analysis', payload: '"b"' })
    })

    test('a cancelled task is deleted after the retention time', async () => {
      const brief = await open({ retentionMs: 100 })
      const id = await add()
      await brief.cancel(id)
      await until(async () => (await brief.find(id)) === undefined)
    })
  })
}
