import { expect, test } from 'bun:test'
import { join } from 'node:path'
import type { TaskQueue } from '../../src/tasks/task-queue.ts'
import { type Child, spawnChild } from '../support/child-process.ts'
import { until } from '../support/until.ts'
import { openTestQueue, type QueueLocation, type RunnerTask } from './runner.ts'

/** Long enough to start a few processes and to wait for a few leases on a busy machine. */
const timeoutMs = 60_000

/** A run that is not over before its worker is suspended, on a busy machine. */
const suspendableMs = 3_000

/** The empty queue that the processes of one test share. */
export interface SharedQueue extends QueueLocation {
  remove(): Promise<void>
}

/**
 * The promises of `TaskQueue` about workers that die or are suspended, as tests with real processes.
 *
 * @param createQueue called in each test
 * @param options whether the processes may be on several hosts, whose clocks differ
 */
export function workersContract(
  createQueue: () => Promise<SharedQueue>,
  { severalHosts = false } = {},
): void {
  const testWithQueue: TestWithQueue = (name, run) =>
    test(
      name,
      async () => {
        const location = await createQueue()
        const runners: Child[] = []
        const { queue, close } = await openTestQueue(location)
        try {
          await run(queue, (runner) => {
            const started = startRunner({ ...location, ...runner })
            runners.push(started)
            return started
          })
        } finally {
          await Promise.all(runners.map((runner) => runner.kill()))
          await close()
          await location.remove()
        }
      },
      timeoutMs,
    )
  testWithQueue('another worker runs the task of a killed worker again', async (queue, start) => {
    const { task } = await queue.enqueue({ kind: 'analysis', payload: '"a"' })
    const first = start({ name: 'first', runMs: 60_000 })
    await until(async () => (await findStatus(queue, task.id)) === 'processing')
    first.signal('SIGKILL')
    start({ name: 'second', runMs: 0 })
    await until(async () => (await findStatus(queue, task.id)) === 'completed')
    expect(await queue.find(task.id)).toMatchObject({ result: '"by second"', attempts: 2 })
  })

  testWithQueue(
    'a worker that was suspended past its lease cannot write its result',
    async (queue, start) => {
      const { task } = await queue.enqueue({ kind: 'analysis', payload: '"a"' })
      const sleeper = start({ name: 'sleeper', runMs: suspendableMs })
      await until(async () => (await findStatus(queue, task.id)) === 'processing')
      sleeper.signal('SIGSTOP')
      start({ name: 'other', runMs: 0 })
      await until(async () => (await findStatus(queue, task.id)) === 'completed')
      sleeper.signal('SIGCONT')
      // It resumes in the middle of its run, tries to write, and is refused.
      await until(() => sleeper.log.texts.some((line) => line === `lost ${task.id}`))
      expect(await queue.find(task.id)).toMatchObject({
        status: 'completed',
        result: '"by other"',
        attempts: 2,
      })
    },
  )

  if (severalHosts)
    testWithQueue(
      'a worker whose clock is an hour ahead does not claim the task of a working one',
      async (queue, start) => {
        const { task } = await queue.enqueue({ kind: 'analysis', payload: '"a"' })
        start({ name: 'right', runMs: 3_000 })
        await until(async () => (await findStatus(queue, task.id)) === 'processing')
        const ahead = start({ name: 'ahead', runMs: 0, clockAheadMs: 60 * 60 * 1_000 })
        // The worker with the wrong clock works, so it has checked the leases of others before the task is completed.
        const other = await queue.enqueue({ kind: 'analysis', payload: '"b"' })
        await until(async () => (await findStatus(queue, other.task.id)) === 'completed')
        await until(async () => (await findStatus(queue, task.id)) === 'completed')
        expect(ahead.alive).toBe(true)
        expect(await queue.find(task.id)).toMatchObject({ result: '"by right"', attempts: 1 })
      },
    )

  testWithQueue('a task that kills its workers fails after its attempts', async (queue, start) => {
    const { task } = await queue.enqueue({ kind: 'analysis', payload: '"kill"' })
    for (let n = 0; n < 3; n++) {
      const runner = start({ name: `victim ${n}`, runMs: 0 })
      expect(await runner.exited).not.toBe(0)
    }
    start({ name: 'survivor', runMs: 0 })
    await until(async () => (await findStatus(queue, task.id)) === 'failed')
    const failed = await queue.find(task.id)
    expect(failed).toMatchObject({ attempts: 3, result: undefined })
    expect(failed?.error).toContain('the worker died')
  })

  operatorsContract(testWithQueue)

  testWithQueue('every task ends once while three workers are killed and replaced', async (queue, start) => {
    const ids: string[] = []
    const add = async (count: number) => {
      const added = Array.from({ length: count }, () =>
        queue.enqueue({ kind: 'analysis', payload: `"${ids.length}"` }),
      )
      ids.push(...(await Promise.all(added)).map(({ task }) => task.id))
    }
    await add(150)
    const workers = [0, 1, 2].map((n) => start({ name: `w${n}`, runMs: 10 }))
    for (let kill = 0; kill < 4; kill++) {
      const victim = workers[kill % 3] as Child
      const before = victim.log.texts.length
      await until(async () => {
        // A victim that starts late finds tasks as well.
        if ((await queue.depth()) === 0) await add(10)
        return victim.log.texts.length > before + 3
      })
      victim.signal('SIGKILL')
      workers[kill % 3] = start({ name: `w${kill}b`, runMs: 10 })
    }
    await until(async () => (await queue.stats()).completed === ids.length)
    const tasks = await Promise.all(ids.map((id) => queue.find(id)))
    expect(tasks.filter((task) => !/^"by w\d/.test(task?.result ?? ''))).toEqual([])
    const { waiting, delayed, processing, failed, cancelled } = await queue.stats()
    expect({ waiting, delayed, processing, failed, cancelled }).toEqual({
      waiting: 0,
      delayed: 0,
      processing: 0,
      failed: 0,
      cancelled: 0,
    })
  })
}

const findStatus = async (queue: TaskQueue, id: string) => (await queue.find(id))?.status

/** What an operator does while the tasks are in other processes. */
function operatorsContract(testWithQueue: TestWithQueue): void {
  testWithQueue('a task that runs in another process can be cancelled', async (queue, start) => {
    const { task } = await queue.enqueue({ kind: 'analysis', payload: '"a"' })
    const runner = start({ name: 'runner', runMs: 60_000 })
    await until(async () => (await findStatus(queue, task.id)) === 'processing')
    await queue.cancel(task.id)
    await until(() => runner.log.texts.includes(`cancelled ${task.id}`))
    const { task: next } = await queue.enqueue({ kind: 'analysis', payload: '"b"' })
    await until(async () => (await findStatus(queue, next.id)) === 'processing')
    expect(await queue.find(task.id)).toMatchObject({ status: 'cancelled', result: undefined, attempts: 1 })
  })

  testWithQueue(
    'a worker that was suspended cannot record the result of a cancelled task',
    async (queue, start) => {
      const { task } = await queue.enqueue({ kind: 'analysis', payload: '"a"' })
      const sleeper = start({ name: 'sleeper', runMs: suspendableMs })
      await until(async () => (await findStatus(queue, task.id)) === 'processing')
      sleeper.signal('SIGSTOP')
      const cancelled = await queue.cancel(task.id)
      sleeper.signal('SIGCONT')
      await until(() => sleeper.log.texts.includes(`cancelled ${task.id}`))
      expect(await queue.find(task.id)).toEqual(cancelled)
    },
  )

  testWithQueue('a killed worker is out of sight after three heartbeats', async (queue, start) => {
    const { task } = await queue.enqueue({ kind: 'analysis', payload: '"a"' })
    const victim = start({ name: 'victim', runMs: 60_000 })
    const survivor = start({ name: 'survivor', runMs: 60_000 })
    const names = async () => (await queue.stats()).workers.map(({ name }) => name).sort()
    await until(async () => (await names()).join() === 'survivor,victim')
    await until(async () => (await findStatus(queue, task.id)) === 'processing')
    // A heartbeat may be late.
    const heldIds = async () => (await queue.stats()).workers.flatMap(({ taskIds }) => taskIds)
    await until(async () => (await heldIds()).join() === task.id)
    victim.signal('SIGKILL')
    await until(async () => (await names()).join() === 'survivor')
    expect(survivor.alive).toBe(true)
  })

  testWithQueue('a pause holds for workers that start later, until it ends', async (queue, start) => {
    const early = start({ name: 'early', runMs: 0 })
    const first = await queue.enqueue({ kind: 'analysis', payload: '"first"' })
    await until(async () => (await findStatus(queue, first.task.id)) === 'completed')
    await queue.setPaused(true)
    const { task } = await queue.enqueue({ kind: 'analysis', payload: '"a"' })
    early.signal('SIGKILL')
    start({ name: 'late', runMs: 0 })
    await until(async () => (await queue.stats()).workers.some(({ name }) => name === 'late'))
    expect(await queue.find(task.id)).toMatchObject({ status: 'pending', attempts: 0 })
    await queue.setPaused(false)
    await until(async () => (await findStatus(queue, task.id)) === 'completed')
  })
}

type TestWithQueue = (
  name: string,
  run: (queue: TaskQueue, start: (runner: Omit<RunnerTask, keyof QueueLocation>) => Child) => Promise<void>,
) => void

/** A process that runs tasks. Its log has `<outcome> <task id>` for each run that ended. */
function startRunner(task: RunnerTask): Child {
  return spawnChild({ command: [process.execPath, join(import.meta.dir, 'runner.ts'), JSON.stringify(task)] })
}
