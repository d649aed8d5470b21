import { expect, test } from 'bun:test'
import { join } from 'node:path'
import type { TaskQueue } from '../../src/tasks/task-queue.ts'
import { until } from '../support/until.ts'
import { openTestQueue, type QueueLocation, type RunnerTask } from './runner.ts'

/** Long enough to start a few processes and to wait for a few leases on a busy machine. */
const timeoutMs = 60_000

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
        const runners: Runner[] = []
        const { queue, close } = await openTestQueue(location)
        try {
          await run(queue, (runner) => {
            const started = startRunner({ ...location, ...runner })
            runners.push(started)
            return started
          })
        } finally {
          for (const { child } of runners) child.kill('SIGKILL')
          await Promise.all(runners.map(({ child }) => child.exited))
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
    first.child.kill('SIGKILL')
    start({ name: 'second', runMs: 0 })
    await until(async () => (await findStatus(queue, task.id)) === 'completed')
    expect(await queue.find(task.id)).toMatchObject({ result: '"by second"', attempts: 2 })
  })

  testWithQueue(
    'a worker that was suspended past its lease cannot write its result',
    async (queue, start) => {
      const { task } = await queue.enqueue({ kind: 'analysis', payload: '"a"' })
      const sleeper = start({ name: 'sleeper', runMs: 300 })
      await until(async () => (await findStatus(queue, task.id)) === 'processing')
      sleeper.child.kill('SIGSTOP')
      start({ name: 'other', runMs: 0 })
      await until(async () => (await findStatus(queue, task.id)) === 'completed')
      sleeper.child.kill('SIGCONT')
      // It resumes in the middle of its run, tries to write, and is refused.
      await until(() => sleeper.lines.some((line) => line === `lost ${task.id}`))
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
        expect(ahead.child.exitCode).toBeNull()
        expect(await queue.find(task.id)).toMatchObject({ result: '"by right"', attempts: 1 })
      },
    )

  testWithQueue('a task that kills its workers fails after its attempts', async (queue, start) => {
    const { task } = await queue.enqueue({ kind: 'analysis', payload: '"kill"' })
    for (let n = 0; n < 3; n++) {
      const runner = start({ name: `victim ${n}`, runMs: 0 })
      expect(await runner.child.exited).not.toBe(0)
    }
    start({ name: 'survivor', runMs: 0 })
    await until(async () => (await findStatus(queue, task.id)) === 'failed')
    const failed = await queue.find(task.id)
    expect(failed).toMatchObject({ attempts: 3, result: undefined })
    expect(failed?.error).toContain('the worker died')
  })

  operatorsContract(testWithQueue)

  testWithQueue('every task ends once while three workers are killed and replaced', async (queue, start) => {
    const ids = (
      await Promise.all(
        Array.from({ length: 150 }, (_, n) => queue.enqueue({ kind: 'analysis', payload: `"${n}"` })),
      )
    ).map(({ task }) => task.id)
    const workers = [0, 1, 2].map((n) => start({ name: `w${n}`, runMs: 10 }))
    for (let kill = 0; kill < 4; kill++) {
      const victim = workers[kill % 3] as Runner
      const before = victim.lines.length
      await until(() => victim.lines.length > before + 3)
      victim.child.kill('SIGKILL')
      workers[kill % 3] = start({ name: `w${kill}b`, runMs: 10 })
    }
    await until(async () => (await queue.list({ limit: 1_000, status: 'completed' })).tasks.length === 150)
    const { tasks } = await queue.list({ limit: 1_000 })
    expect(tasks.map(({ id }) => id).sort()).toEqual(ids.toSorted())
    expect(tasks.filter(({ result }) => !/^"by w\d/.test(result ?? ''))).toEqual([])
  })
}

const findStatus = async (queue: TaskQueue, id: string) => (await queue.find(id))?.status

/** What an operator does, while the tasks are in other processes. */
function operatorsContract(testWithQueue: TestWithQueue): void {
  testWithQueue('a task that runs in another process can be cancelled', async (queue, start) => {
    const { task } = await queue.enqueue({ kind: 'analysis', payload: '"a"' })
    const runner = start({ name: 'runner', runMs: 60_000 })
    await until(async () => (await findStatus(queue, task.id)) === 'processing')
    await queue.cancel(task.id)
    await until(() => runner.lines.includes(`cancelled ${task.id}`))
    const { task: next } = await queue.enqueue({ kind: 'analysis', payload: '"b"' })
    await until(async () => (await findStatus(queue, next.id)) === 'processing')
    expect(await queue.find(task.id)).toMatchObject({ status: 'cancelled', result: undefined, attempts: 1 })
  })

  testWithQueue(
    'a worker that was suspended cannot record the result of a cancelled task',
    async (queue, start) => {
      const { task } = await queue.enqueue({ kind: 'analysis', payload: '"a"' })
      const sleeper = start({ name: 'sleeper', runMs: 300 })
      await until(async () => (await findStatus(queue, task.id)) === 'processing')
      sleeper.child.kill('SIGSTOP')
      const cancelled = await queue.cancel(task.id)
      sleeper.child.kill('SIGCONT')
      await until(() => sleeper.lines.includes(`cancelled ${task.id}`))
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
    const { workers } = await queue.stats()
    expect(workers.flatMap(({ taskIds }) => taskIds)).toEqual([task.id])
    victim.child.kill('SIGKILL')
    await until(async () => (await names()).join() === 'survivor')
    expect(survivor.child.exitCode).toBeNull()
  })

  testWithQueue('a pause holds for workers that start later, until it ends', async (queue, start) => {
    const early = start({ name: 'early', runMs: 0 })
    const first = await queue.enqueue({ kind: 'analysis', payload: '"first"' })
    await until(async () => (await findStatus(queue, first.task.id)) === 'completed')
    await queue.setPaused(true)
    const { task } = await queue.enqueue({ kind: 'analysis', payload: '"a"' })
    early.child.kill('SIGKILL')
    start({ name: 'late', runMs: 0 })
    await until(async () => (await queue.stats()).workers.some(({ name }) => name === 'late'))
    expect(await queue.find(task.id)).toMatchObject({ status: 'pending', attempts: 0 })
    await queue.setPaused(false)
    await until(async () => (await findStatus(queue, task.id)) === 'completed')
  })
}

type TestWithQueue = (
  name: string,
  run: (queue: TaskQueue, start: (runner: Omit<RunnerTask, keyof QueueLocation>) => Runner) => Promise<void>,
) => void

interface Runner {
  readonly child: Bun.Subprocess
  /** `<outcome> <task id>` of each ended run. */
  readonly lines: string[]
}

function startRunner(task: RunnerTask): Runner {
  const child = Bun.spawn({
    cmd: [process.execPath, join(import.meta.dir, 'runner.ts'), JSON.stringify(task)],
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'inherit',
  })
  const lines: string[] = []
  const read = async () => {
    let rest = ''
    for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
      const pieces = (rest + chunk).split('\n')
      rest = pieces.pop() as string
      lines.push(...pieces)
    }
  }
  void read()
  return { child, lines }
}
