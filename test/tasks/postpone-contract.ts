import { describe, expect, test } from 'bun:test'
import { type RunReport, TaskPostponed } from '../../src/tasks/task-queue.ts'
import { until } from '../support/until.ts'
import { hangUntilAborted, type QueueFixture } from './contract-fixture.ts'

/** The promises of `TaskQueue` about tasks that a worker cannot run, and about time limits of single tasks. */
export function postponeContract(fixture: QueueFixture): void {
  const { open, consume, waitForEnd, add } = fixture

  describe('a task that a worker cannot run', () => {
    /** A worker that knows only tasks with the payload `"known"`. */
    const runKnown = async ({ payload }: { payload: string }) => {
      if (payload !== '"known"') throw new TaskPostponed('no worker here knows it')
      return '"done"'
    }

    test('is offered again and again, keeps all its attempts, and never fails', async () => {
      const runs: RunReport[] = []
      const id = await add('"new"')
      const consumer = consume(runKnown, { onRunEnd: (run) => runs.push(run) })
      // More often than a task has attempts.
      await until(() => runs.length >= 5)
      await consumer.finish()
      expect(new Set(runs.map(({ outcome }) => outcome))).toEqual(new Set(['postponed']))
      expect(await fixture.queue.find(id)).toMatchObject({
        status: 'pending',
        attempts: 0,
        error: 'no worker here knows it',
      })
      consume(async () => '"done"')
      const task = await waitForEnd(id)
      expect(task).toMatchObject({ status: 'completed', attempts: 1, result: '"done"' })
      expect(task.error).toBeUndefined()
    })

    test('is run by a worker that can, and delays no other task', async () => {
      // No lease may end while the test holds a run on a busy machine.
      const openPatient = () => open({ leaseMs: 60_000 })
      const started = Promise.withResolvers<void>()
      const held = Promise.withResolvers<void>()
      const postponed: string[] = []
      const old = consume(
        async (task) => {
          const result = await runKnown(task)
          started.resolve()
          await held.promise
          return result
        },
        {
          concurrency: 1,
          onRunEnd: ({ task, outcome }) => void (outcome === 'postponed' && postponed.push(task.id)),
        },
        await openPatient(),
      )
      const [first, known, last] = [await add('"new"'), await add('"known"'), await add('"new"')]
      await started.promise
      await until(() => postponed.includes(first))
      // Now the old worker is busy. Otherwise chance would decide which of the two gets a task each time it is offered.
      consume(async () => '"done"', {}, await openPatient())
      for (const id of [first, last])
        expect(await waitForEnd(id)).toMatchObject({ status: 'completed', attempts: 1 })
      expect(await fixture.queue.find(known)).toMatchObject({ status: 'processing' })
      held.resolve()
      expect(await waitForEnd(known)).toMatchObject({ status: 'completed', attempts: 1 })
      await old.finish()
    })

    test('is delayed meanwhile, and can be cancelled', async () => {
      const patient = await open({ initialBackoffMs: 30_000 })
      const runs: RunReport[] = []
      const id = await add('"new"')
      const consumer = consume(runKnown, { onRunEnd: (run) => runs.push(run) }, patient)
      await until(() => runs.length === 1)
      expect(await patient.stats()).toMatchObject({ waiting: 0, delayed: 1 })
      expect(await patient.cancel(id)).toMatchObject({ status: 'cancelled' })
      await consumer.finish()
    })
  })

  test('a time limit may depend on the task', async () => {
    const runs: RunReport[] = []
    consume(hangUntilAborted, {
      timeoutMs: ({ kind }) => (kind === 'brief' ? 20 : 60_000),
      onRunEnd: (run) => runs.push(run),
    })
    const long = await add('"long"')
    const id = await add('"brief"', { kind: 'brief' })
    expect(await waitForEnd(id)).toMatchObject({
      status: 'failed',
      attempts: 3,
      error: 'the task timed out after 0.02 s',
    })
    expect(runs.map(({ task }) => task.id)).not.toContain(long)
    expect(await fixture.queue.find(long)).toMatchObject({ status: 'processing' })
  })
}
