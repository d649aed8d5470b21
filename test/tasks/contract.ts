import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { type Idempotency, IdempotencyMismatch } from '../../src/database/idempotency.ts'
import { InvalidCursor } from '../../src/database/invalid-cursor.ts'
import type { QueueOptions } from '../../src/tasks/queue-options.ts'
import { isEnded, type NewTask, type Task } from '../../src/tasks/task.ts'
import {
  type ConsumeOptions,
  type Consumer,
  QueueFull,
  QueueUnavailable,
  type RunReport,
  type TaskHandler,
  TaskNotFailed,
  type TaskQueue,
  UnrecoverableTask,
} from '../../src/tasks/task-queue.ts'
import { awkwardScopes } from '../support/awkward-scopes.ts'
import { rejectionOf } from '../support/rejection.ts'
import { until } from '../support/until.ts'
import { cancelContract } from './cancel-contract.ts'
import type { QueueFixture } from './contract-fixture.ts'
import { insightContract } from './insight-contract.ts'
import { postponeContract } from './postpone-contract.ts'
import { scheduleContract } from './schedule-contract.ts'

/** An empty queue of one engine, on which several instances can be opened. */
export interface EmptyQueue {
  open(options: Partial<QueueOptions>): Promise<TaskQueue>
  remove(): Promise<void>
}

/** Short times, so that minutes of production are milliseconds here. */
const quick = { leaseMs: 600, initialBackoffMs: 20, maxAttempts: 3 } satisfies Partial<QueueOptions>

/**
 * The promises of `TaskQueue` as tests. Each adapter runs them on its real engine.
 *
 * @param createQueue called before each test
 * @param options how to shift the clock of its server
 */
export function taskQueueContract(
  createQueue: () => Promise<EmptyQueue>,
  { jumpServerClock }: { jumpServerClock?: ((ms: number) => Promise<void>) | undefined } = {},
): void {
  let emptyQueue: EmptyQueue
  let queue: TaskQueue
  const opened: TaskQueue[] = []

  const open = async (options: Partial<QueueOptions> = {}) => {
    const another = await emptyQueue.open({ ...quick, ...options })
    opened.push(another)
    return another
  }
  const consume = (
    handler: TaskHandler,
    options: Partial<ConsumeOptions> = {},
    on: TaskQueue = queue,
  ): Consumer => on.consume(handler, { concurrency: 2, timeoutMs: 60_000, ...options })
  const waitForEnd = (id: string, on: TaskQueue = queue): Promise<Task> =>
    until(async () => {
      const task = await on.find(id)
      return task !== undefined && isEnded(task) ? task : undefined
    })
  const add = async (payload = '"text"', options: Partial<NewTask> = {}): Promise<string> =>
    (await queue.enqueue({ kind: 'analysis', payload, ...options })).task.id

  beforeEach(async () => {
    emptyQueue = await createQueue()
    queue = await open()
  })
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((each) => each.close()))
    await emptyQueue.remove()
  })

  describe('enqueue', () => {
    test('an accepted task is pending and unchanged', async () => {
      const before = Date.now()
      const { task, replayed } = await queue.enqueue({ kind: 'analysis', payload: '"text"' })
      expect(replayed).toBe(false)
      expect(task).toMatchObject({ payload: '"text"', status: 'pending', attempts: 0 })
      expect(task.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/)
      expect(task.createdAt).toBeWithin(before, Date.now() + 1)
      expect(await queue.find(task.id)).toEqual(task)
    })

    test('another instance finds an accepted task, even after this one has closed', async () => {
      const { task } = await queue.enqueue({ kind: 'analysis', payload: '"text"' })
      const other = await open()
      expect(await other.find(task.id)).toEqual(task)
      await queue.close()
      expect(await (await open()).find(task.id)).toEqual(task)
    })

    test.each([
      ['an empty text', '""'],
      ['escapes', '"\\u0000 \\ud800 \\" \\\\"'],
      ['numbers in unusual spelling', '{"numbers":[1.0,-0,1E400,123456789012345678901],"text":"a"}'],
      ['text beyond the basic plane', '"Grüße 世界 👩‍👩‍👧 \u2028 \ufeff"'],
      ['2 MB', JSON.stringify('é'.repeat(1_000_000))],
    ])('%s is returned character by character, to readers and to handlers', async (_, payload) => {
      const { task } = await queue.enqueue({ kind: 'analysis', payload })
      expect((await queue.find(task.id))?.payload === payload).toBe(true)
      consume(async ({ payload }) => payload)
      expect((await waitForEnd(task.id)).result === payload).toBe(true)
    })

    test('find, retry, cancel and watch find nothing for any unknown id', async () => {
      await add()
      for (const id of [
        'b',
        '',
        ' ',
        'a\0',
        '\ud800',
        'x'.repeat(10_000),
        crypto.randomUUID(),
        '*',
        'meta',
      ]) {
        expect(await queue.find(id)).toBeUndefined()
        expect(await queue.retry(id)).toBeUndefined()
        expect(await queue.cancel(id)).toBeUndefined()
        expect(await Array.fromAsync(queue.watch(id, AbortSignal.timeout(5_000)))).toEqual([])
      }
    })

    test('enqueue rejects with QueueFull at capacity and accepts again after a claim', async () => {
      const small = await open({ capacity: 3 })
      for (let n = 0; n < 3; n++) await small.enqueue({ kind: 'analysis', payload: '"text"' })
      expect(await small.depth()).toBe(3)
      const refused = await small.enqueue({ kind: 'analysis', payload: '"text"' }).catch((error) => error)
      expect(refused).toBeInstanceOf(QueueFull)
      expect(refused).toMatchObject({ capacity: 3, retryAfterSeconds: expect.any(Number) })
      expect((await small.list({ limit: 10 })).tasks).toHaveLength(3)

      const { promise: hold, resolve: release } = Promise.withResolvers<string>()
      const consumer = consume(() => hold, { concurrency: 1 }, small)
      await until(async () => (await small.depth()) === 2)
      await small.enqueue({ kind: 'analysis', payload: '"text"' })
      release('1')
      await consumer.finish()
    })

    test('of many concurrent tasks on two instances exactly the capacity is accepted', async () => {
      const instances = [await open({ capacity: 20 }), await open({ capacity: 20 })] as const
      const outcomes = await Promise.allSettled(
        Array.from({ length: 100 }, (_, n) =>
          instances[n % 2 ? 0 : 1].enqueue(
            { kind: 'analysis', payload: '"text"' },
            n % 3 ? undefined : { scope: 'tasks', key: `${n}`, fingerprint: 'f' },
          ),
        ),
      )
      const refused = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
      expect(refused).toHaveLength(80)
      expect(refused.filter((error) => !(error instanceof QueueFull))).toEqual([])
      expect(await queue.depth()).toBe(20)
    })

    test('a task that waits for its next attempt counts as pending', async () => {
      const slow = await open({ initialBackoffMs: 60_000 })
      const { task } = await slow.enqueue({ kind: 'analysis', payload: '"text"' })
      consume(() => Promise.reject(new Error('no')), {}, slow)
      await until(async () => (await slow.find(task.id))?.error)
      expect(await slow.depth()).toBe(1)
      expect((await slow.find(task.id))?.status).toBe('pending')
    })
  })

  describe('list', () => {
    test('an empty queue has one empty page', async () => {
      expect(await queue.list({ limit: 10 })).toEqual({ tasks: [], next: undefined })
    })

    test('lists tasks newest first, page by page, each once', async () => {
      const ids: string[] = []
      for (let n = 0; n < 50; n++) ids.push(await add(`"${n}"`))
      for (const limit of [7, 50, 100])
        expect((await readTasks(queue, { limit })).map(({ id }) => id)).toEqual(ids.toReversed())
    })

    test('lists only tasks of a status', async () => {
      const ids: string[] = []
      for (let n = 0; n < 6; n++) ids.push(await add(`${n}`))
      const consumer = consume(
        async ({ payload }) => {
          if (Number(payload) % 2) throw new UnrecoverableTask('odd')
          return payload
        },
        { concurrency: 1 },
      )
      for (const id of ids) await waitForEnd(id)
      await consumer.finish()
      const waiting = await add()
      const listIds = async (status: Task['status']) =>
        (await readTasks(queue, { limit: 2, status })).map(({ id }) => id)
      expect(await listIds('completed')).toEqual([ids[4], ids[2], ids[0]] as string[])
      expect(await listIds('failed')).toEqual([ids[5], ids[3], ids[1]] as string[])
      expect(await listIds('pending')).toEqual([waiting])
      expect(await listIds('processing')).toEqual([])
    })

    test('the first page of a rare status has its tasks', async () => {
      const rare = await add('"rare"')
      const consumer = consume(() => Promise.reject(new UnrecoverableTask('no')))
      await waitForEnd(rare)
      await consumer.finish()
      for (let n = 0; n < 15; n++) await Promise.all(Array.from({ length: 100 }, () => add()))
      const { tasks, next } = await queue.list({ limit: 1, status: 'failed' })
      expect(tasks.map(({ id }) => id)).toEqual([rare])
      // There may be a next page, which is empty then.
      if (next !== undefined)
        expect((await queue.list({ limit: 1, status: 'failed', after: next })).tasks).toEqual([])
    })

    test.each(['', '-1', 'x', "1' or 1=1", '01', '[a'])(
      'list rejects the cursor %p with InvalidCursor',
      async (after) => {
        expect(await rejectionOf(queue.list({ limit: 1, after }))).toBeInstanceOf(InvalidCursor)
      },
    )

    test('a page of large payloads ends early, and no task is left out', async () => {
      const large = JSON.stringify('x'.repeat(7 * 1024 * 1024))
      for (let n = 0; n < 4; n++) await queue.enqueue({ kind: 'analysis', payload: large })
      expect((await queue.list({ limit: 10 })).tasks).toHaveLength(2)
      expect(await readTasks(queue, { limit: 10 })).toHaveLength(4)
    })
  })

  describe('running tasks', () => {
    test('completes a task with the result of its handler', async () => {
      const id = await add('"a"')
      const runs: RunReport[] = []
      consume(async (task) => JSON.stringify([task.payload, task.status, task.attempts]), {
        onRunEnd: (run) => runs.push(run),
      })
      const task = await waitForEnd(id)
      expect(task).toMatchObject({ status: 'completed', attempts: 1, error: undefined })
      expect(task.result).toBe('["\\"a\\"","processing",1]')
      expect(task.updatedAt).toBeGreaterThanOrEqual(task.createdAt)
      expect(await until(() => runs[0])).toMatchObject({ outcome: 'completed', task: { id } })
    })

    test('an idle consumer, of this instance or of another, runs a new task soon', async () => {
      const other = await open()
      consume(async () => '1', {}, other)
      await waitForEnd(await add())
      await queue.enqueue({ kind: 'analysis', payload: '"text"' })
      consume(async () => '1')
      await waitForEnd(await add())
    })

    test('runs exactly as many tasks at a time as the concurrency', async () => {
      let running = 0
      let most = 0
      const consumer = consume(
        async () => {
          most = Math.max(most, ++running)
          await Bun.sleep(10)
          running--
          return '1'
        },
        { concurrency: 3 },
      )
      const ids = await Promise.all(Array.from({ length: 20 }, () => add()))
      for (const id of ids) await waitForEnd(id)
      await consumer.finish()
      expect(most).toBe(3)
    })

    test('two instances run each of 200 tasks once', async () => {
      const other = await open()
      const runs = new Map<string, number>()
      const handler: TaskHandler = async ({ id }) => {
        runs.set(id, (runs.get(id) ?? 0) + 1)
        return '1'
      }
      const consumers = [consume(handler, { concurrency: 4 }), consume(handler, { concurrency: 4 }, other)]
      const ids = await Promise.all(Array.from({ length: 200 }, () => add()))
      // Waits for every task, because a claim in flight is released when its consumer finishes.
      for (const id of ids) await waitForEnd(id)
      await Promise.all(consumers.map((consumer) => consumer.finish()))
      expect([...runs.values()].every((n) => n === 1)).toBe(true)
      expect([...runs.keys()].sort()).toEqual(ids.sort())
    })

    test('a task that takes longer than its lease is not claimed by another worker', async () => {
      const other = await open()
      let runs = 0
      const handler: TaskHandler = async () => {
        runs++
        await Bun.sleep(quick.leaseMs * 3)
        return '1'
      }
      consume(handler)
      consume(handler, {}, other)
      expect(await waitForEnd(await add())).toMatchObject({ status: 'completed', attempts: 1 })
      expect(runs).toBe(1)
    })
  })

  describe('failing tasks', () => {
    test('retries a failed attempt', async () => {
      const id = await add()
      const runs: RunReport['outcome'][] = []
      consume(
        async ({ attempts }) => {
          if (attempts === 1) throw new Error('not yet')
          return '1'
        },
        { onRunEnd: ({ outcome }) => runs.push(outcome) },
      )
      expect(await waitForEnd(id)).toMatchObject({
        status: 'completed',
        attempts: 2,
        result: '1',
        error: undefined,
      })
      await until(() => runs.length === 2)
      expect(runs).toEqual(['retried', 'completed'])
    })

    test('fails a task permanently after its attempts, and keeps it with its error', async () => {
      const id = await add('"poison"')
      let runs = 0
      consume(() => {
        runs++
        throw new Error('never')
      })
      expect(await waitForEnd(id)).toMatchObject({
        status: 'failed',
        attempts: 3,
        error: 'never',
        result: undefined,
        payload: '"poison"',
      })
      expect(runs).toBe(3)
    })

    test('does not retry an UnrecoverableTask', async () => {
      const id = await add()
      consume(() => Promise.reject(new UnrecoverableTask('no use')))
      expect(await waitForEnd(id)).toMatchObject({ status: 'failed', attempts: 1, error: 'no use' })
    })

    test('aborts a handler that exceeds its time limit, and continues with other tasks', async () => {
      const never = await add('"never"')
      const signals: AbortSignal[] = []
      consume(
        ({ payload }, { signal }) => {
          if (payload !== '"never"') return Promise.resolve('1')
          signals.push(signal)
          return new Promise(() => {})
        },
        { concurrency: 1, timeoutMs: 50 },
      )
      const other = await add('"other"')
      expect(await waitForEnd(other)).toMatchObject({ status: 'completed' })
      expect(await waitForEnd(never)).toMatchObject({ status: 'failed', attempts: 3 })
      expect((await queue.find(never))?.error).toContain('timed out after 0.05 s')
      expect(signals.every(({ aborted }) => aborted)).toBe(true)
    })

    test('retry restores all attempts of a failed task', async () => {
      const id = await add()
      let broken = true
      consume(async ({ attempts }) => {
        if (broken || attempts < 3) throw new Error('broken')
        return '1'
      })
      await waitForEnd(id)
      broken = false
      expect(await queue.retry(id)).toMatchObject({ id, status: 'pending', attempts: 0 })
      expect(await waitForEnd(id)).toMatchObject({ status: 'completed', attempts: 3 })
    })

    test('retry rejects a task that has not failed with TaskNotFailed', async () => {
      const id = await add()
      expect(await rejectionOf(queue.retry(id))).toBeInstanceOf(TaskNotFailed)
      consume(async () => '1')
      await waitForEnd(id)
      expect(await rejectionOf(queue.retry(id))).toMatchObject({ status: 'completed' })
    })

    test('one of 20 concurrent retries succeeds', async () => {
      const id = await add()
      const consumer = consume(() => Promise.reject(new UnrecoverableTask('no')))
      await waitForEnd(id)
      await consumer.finish()
      const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => queue.retry(id)))
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      expect(await queue.depth()).toBe(1)
    })
  })

  describe('stopping', () => {
    test('a paused consumer claims no more tasks and finishes the running ones', async () => {
      const { promise: hold, resolve: release } = Promise.withResolvers<string>()
      const consumer = consume(() => hold, { concurrency: 1 })
      const [first, second] = [await add(), await add()]
      // Does not wait for `processing`, because a claim that returns after the pause is released.
      await until(() => consumer.activeCount === 1)
      consumer.pause()
      const finished = consumer.finish()
      release('1')
      await finished
      expect(await queue.find(first)).toMatchObject({ status: 'completed' })
      expect(await queue.find(second)).toMatchObject({ status: 'pending', attempts: 0 })
    })

    test('a released task is pending at once, with its attempt refunded, and runs elsewhere', async () => {
      const ids = [await add(), await add()]
      const signals: AbortSignal[] = []
      const outcomes: RunReport['outcome'][] = []
      const consumer = consume(
        (_, { signal }) => {
          signals.push(signal)
          return new Promise(() => {})
        },
        { onRunEnd: ({ outcome }) => outcomes.push(outcome) },
      )
      await until(() => signals.length === 2)
      expect([...(await consumer.release())].sort()).toEqual(ids.toSorted())
      await consumer.finish()
      expect(outcomes).toEqual(['released', 'released'])
      expect(signals.every(({ aborted }) => aborted)).toBe(true)
      for (const id of ids) expect(await queue.find(id)).toMatchObject({ status: 'pending', attempts: 0 })
      consume(async () => '1', {}, await open({ maxAttempts: 1 }))
      for (const id of ids) expect(await waitForEnd(id)).toMatchObject({ status: 'completed', attempts: 1 })
    })

    test('does not record the result of a handler after its task was released', async () => {
      const id = await add()
      const { promise: hold, resolve: release } = Promise.withResolvers<string>()
      const consumer = consume(() => hold)
      await until(async () => (await queue.find(id))?.status === 'processing')
      await consumer.release()
      release('"late"')
      await consumer.finish()
      expect(await queue.find(id)).toMatchObject({ status: 'pending', result: undefined })
    })

    test('close releases running tasks', async () => {
      const id = await add()
      consume(() => new Promise(() => {}))
      await until(async () => (await queue.find(id))?.status === 'processing')
      await queue.close()
      expect(await (await open()).find(id)).toMatchObject({ status: 'pending', attempts: 0 })
    })

    test('calls after close fail with QueueUnavailable, and a second close returns the same promise', async () => {
      const closed = queue.close()
      expect(queue.close()).toBe(closed)
      await closed
      for (const call of [
        () => queue.enqueue({ kind: 'analysis', payload: '""' }),
        () => queue.find('a'),
        () => queue.list({ limit: 1 }),
        () => queue.retry('a'),
        () => queue.depth(),
        () => queue.ping(),
      ])
        expect(await rejectionOf(call())).toBeInstanceOf(QueueUnavailable)
    })
  })

  describe('watch', () => {
    test('a watcher sees the task now and its end, also on another instance', async () => {
      const id = await add()
      const other = await open()
      const seen = Promise.all(
        [queue, other].map((each) => Array.fromAsync(each.watch(id, AbortSignal.timeout(20_000)))),
      )
      await until(async () => (await queue.find(id))?.status === 'pending')
      consume(async () => '1')
      for (const tasks of await seen) {
        expect(tasks.at(-1)).toMatchObject({ id, status: 'completed', result: '1' })
        expect(tasks.map(({ status }) => status)).toEqual(
          tasks.map(({ status }) => status).toSorted((a, b) => order.indexOf(a) - order.indexOf(b)),
        )
      }
    })

    test('a watcher of an ended task sees it once', async () => {
      const id = await add()
      consume(async () => '1')
      await waitForEnd(id)
      expect(await Array.fromAsync(queue.watch(id, AbortSignal.timeout(20_000)))).toHaveLength(1)
    })

    test('a watcher ends when its signal aborts', async () => {
      const id = await add()
      const controller = new AbortController()
      const seen: Task[] = []
      for await (const task of queue.watch(id, controller.signal)) {
        seen.push(task)
        controller.abort()
      }
      expect(seen).toHaveLength(1)
    })
  })

  describe('idempotency keys', () => {
    const key: Idempotency = { scope: 'tasks', key: 'k', fingerprint: 'f' }

    test('the same key and fingerprint repeat the first answer, also on another instance and after the task has ended', async () => {
      const first = await queue.enqueue({ kind: 'analysis', payload: '"a"' }, key)
      consume(async () => '1')
      await waitForEnd(first.task.id)
      const again = await (await open()).enqueue({ kind: 'analysis', payload: '"a"' }, key)
      expect(again).toEqual({ task: first.task, replayed: true })
      expect((await queue.list({ limit: 10 })).tasks).toHaveLength(1)
    })

    test('enqueue rejects a key with another fingerprint with IdempotencyMismatch', async () => {
      await queue.enqueue({ kind: 'analysis', payload: '"a"' }, key)
      expect(
        await rejectionOf(queue.enqueue({ kind: 'analysis', payload: '"b"' }, { ...key, fingerprint: 'g' })),
      ).toBeInstanceOf(IdempotencyMismatch)
      expect(await queue.depth()).toBe(1)
    })

    test('scopes do not share keys', async () => {
      await queue.enqueue({ kind: 'analysis', payload: '"a"' }, key)
      expect(
        (
          await queue.enqueue(
            { kind: 'analysis', payload: '"b"' },
            { ...key, scope: 'other', fingerprint: 'g' },
          )
        ).replayed,
      ).toBe(false)
    })

    test('scopes and keys of any text are never taken for each other', async () => {
      const pairs = awkwardScopes.map(({ scope, key }) => ({ scope, key, fingerprint: scope + key }))
      const task = { kind: 'analysis', payload: '"a"' }
      for (const pair of pairs) expect((await queue.enqueue(task, pair)).replayed).toBe(false)
      for (const pair of pairs) expect((await queue.enqueue(task, pair)).replayed).toBe(true)
      expect(await queue.depth()).toBe(pairs.length)
    })

    test('100 concurrent calls with one key on two instances create one task and get equal answers', async () => {
      const other = await open()
      const answers = await Promise.all(
        Array.from({ length: 100 }, (_, n) =>
          (n % 2 ? queue : other).enqueue({ kind: 'analysis', payload: '"a"' }, key),
        ),
      )
      expect(answers.filter(({ replayed }) => !replayed)).toHaveLength(1)
      expect(new Set(answers.map(({ task }) => JSON.stringify(task))).size).toBe(1)
      expect(await queue.depth()).toBe(1)
    })

    test('a rejected task does not use up its key', async () => {
      const full = await open({ capacity: 0 })
      expect(await rejectionOf(full.enqueue({ kind: 'analysis', payload: '"a"' }, key))).toBeInstanceOf(
        QueueFull,
      )
      expect(
        (await queue.enqueue({ kind: 'analysis', payload: '"b"' }, { ...key, fingerprint: 'g' })).replayed,
      ).toBe(false)
    })

    test('the key of a deleted task repeats the first answer and creates no second task', async () => {
      const brief = await open({ retentionMs: 50 })
      const { task } = await brief.enqueue({ kind: 'analysis', payload: '"a"' }, key)
      consume(async () => '1')
      await until(async () => (await queue.find(task.id)) === undefined)
      expect((await brief.enqueue({ kind: 'analysis', payload: '"a"' }, key)).replayed).toBe(true)
      expect((await queue.list({ limit: 10 })).tasks).toEqual([])
    })
  })

  describe('retention', () => {
    test('deletes an ended task after the retention time, but never a pending one', async () => {
      const brief = await open({ retentionMs: 100 })
      const failing = await add('"fail"')
      const done = await add('"done"')
      const consumer = consume(async ({ payload }) => {
        if (payload === '"fail"') throw new UnrecoverableTask('no')
        return '1'
      })
      await until(async () => !(await brief.find(done)) && !(await brief.find(failing)))
      await consumer.finish()
      const waiting = await add()
      await Bun.sleep(300)
      expect((await brief.list({ limit: 10 })).tasks.map(({ id }) => id)).toEqual([waiting])
    })
  })

  const fixture: QueueFixture = {
    get queue() {
      return queue
    },
    open,
    consume,
    waitForEnd,
    add,
    jumpServerClock,
  }
  cancelContract(fixture)
  scheduleContract(fixture)
  insightContract(fixture)
  postponeContract(fixture)

  test('ping resolves and durability reports durable on a working queue', async () => {
    await queue.ping()
    expect(await queue.durability()).toEqual({ durable: true })
  })
}

const order: readonly Task['status'][] = ['pending', 'processing', 'completed', 'failed', 'cancelled']

/** All tasks of all pages. */
async function readTasks(
  queue: TaskQueue,
  request: { limit: number; status?: Task['status'] },
): Promise<Task[]> {
  const tasks: Task[] = []
  let after: string | undefined
  do {
    const page = await queue.list({ ...request, after })
    tasks.push(...page.tasks)
    after = page.next
  } while (after !== undefined)
  return tasks
}
