import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { openTaskQueue } from '../../src/tasks/open.ts'
import { RedisTaskQueue } from '../../src/tasks/redis/queue.ts'
import {
  type Durability,
  QueueUnavailable,
  type TaskQueue,
  type Unverified,
} from '../../src/tasks/task-queue.ts'
import { haveRedis, type RedisServer, startRedis } from '../support/redis.ts'
import { rejectionOf } from '../support/rejection.ts'
import { canShiftClock, createShiftedClock, type ShiftedClock } from '../support/shifted-clock.ts'
import { until } from '../support/until.ts'
import { taskQueueContract } from './contract.ts'
import { hangUntilAborted } from './contract-fixture.ts'
import { workersContract } from './several-processes.ts'

describe.skipIf(!haveRedis())('on Redis', () => {
  const withClock = canShiftClock()
  let clock: ShiftedClock | undefined
  let server: RedisServer
  beforeAll(async () => {
    clock = withClock ? await createShiftedClock() : undefined
    server = await startRedis(clock && { env: clock.env })
  })
  afterAll(async () => {
    await server.remove()
    await clock?.remove()
  })

  describe('the contract', () => {
    taskQueueContract(
      async () => ({
        open: (options) => openTaskQueue({ engine: 'redis', url: server.url }, options),
        async remove() {
          await clock?.shift(0)
          await server.flush()
        },
      }),
      { jumpServerClock: withClock ? async (ms) => await clock?.shift(ms / 1_000) : undefined },
    )
  })

  describe('several processes', () => {
    workersContract(
      async () => ({
        redisUrl: server.url,
        dataDir: '.',
        remove: () => server.flush(),
      }),
      { severalHosts: true },
    )
  })

  test('keeps no lease of a run that has ended, even without a write', async () => {
    await server.flush()
    const queue = await openTaskQueue({ engine: 'redis', url: server.url }, { leaseMs: 600 })
    if (!(queue instanceof RedisTaskQueue)) throw new Error('another adapter was opened')
    const leases: string[] = []
    const claim = queue.claim.bind(queue)
    queue.claim = async (lease, workerId) => {
      const claimed = await claim(lease, workerId)
      if (claimed !== undefined) leases.push(lease)
      return claimed
    }
    const consumer = queue.consume(hangUntilAborted, { concurrency: 1, timeoutMs: 60_000 })
    const { task } = await queue.enqueue({ kind: 'analysis', payload: '"a"' })
    await until(() => consumer.activeCount === 1)
    const [lease = ''] = leases
    expect(await queue.renew(lease)).toBe('written')
    await queue.cancel(task.id)
    await until(() => consumer.activeCount === 0)
    // If it remembered the lease, it would report the task as cancelled.
    expect(await queue.renew(lease)).toBe('lost')
    await queue.close()
  })

  describe('a server that stops and starts', () => {
    const calls = (queue: TaskQueue) => [
      () => queue.enqueue({ kind: 'analysis', payload: '"a"' }),
      () => queue.find(Bun.randomUUIDv7()),
      () => queue.list({ limit: 1 }),
      () => queue.depth(),
      () => queue.ping(),
      () => queue.durability(),
    ]
    const quick = { leaseMs: 1_000, initialBackoffMs: 20 }
    /** The failure of a call that waited for no answer: there was no connection that could bring one. */
    const failedAtOnce = { code: 'queue-unavailable', cause: { message: 'no connection to Redis' } }

    test('calls fail at once while it is down, and succeed when it is back, without a restart', async () => {
      const own = await startRedis()
      const queue = await openTaskQueue({ engine: 'redis', url: own.url }, quick)
      await queue.ping()
      await own.kill()
      await until(() =>
        queue.ping().then(
          () => false,
          () => true,
        ),
      )
      for (const call of calls(queue)) expect(await rejectionOf(call())).toMatchObject(failedAtOnce)
      await own.start()
      await until(() =>
        queue.ping().then(
          () => true,
          () => false,
        ),
      )
      for (const call of calls(queue)) await call()
      await queue.close()
      await own.remove()
    }, 30_000)

    test('a queue that opens before its server starts works afterwards', async () => {
      const own = await startRedis()
      await own.kill()
      const queue = await openTaskQueue({ engine: 'redis', url: own.url }, quick)
      expect(await rejectionOf(queue.enqueue({ kind: 'analysis', payload: '"a"' }))).toBeInstanceOf(
        QueueUnavailable,
      )
      await own.start()
      await until(() =>
        queue.enqueue({ kind: 'analysis', payload: '"a"' }).then(
          () => true,
          () => false,
        ),
      )
      await queue.close()
      await own.remove()
    }, 30_000)

    test('a call to a hanging server fails within seconds, and later calls fail at once', async () => {
      const own = await startRedis()
      const queue = await openTaskQueue({ engine: 'redis', url: own.url }, quick)
      await queue.ping()
      own.signal('SIGSTOP')
      expect(await rejectionOf(queue.depth())).toBeInstanceOf(QueueUnavailable)
      for (let n = 0; n < 3; n++) expect(await rejectionOf(queue.depth())).toMatchObject(failedAtOnce)
      own.signal('SIGCONT')
      await until(() =>
        queue.ping().then(
          () => true,
          () => false,
        ),
      )
      await queue.close()
      await own.remove()
    }, 30_000)

    test('close does not hang while it is down and tasks are running', async () => {
      const own = await startRedis()
      const queue = await openTaskQueue({ engine: 'redis', url: own.url }, quick)
      const { task } = await queue.enqueue({ kind: 'analysis', payload: '"a"' })
      queue.consume(() => new Promise(() => {}), { concurrency: 1, timeoutMs: 60_000 })
      await until(async () => (await queue.find(task.id))?.status === 'processing')
      await own.kill()
      await queue.close()
      await own.remove()
    }, 30_000)

    test('no accepted task is lost when it is killed three times, and consumers continue', async () => {
      const own = await startRedis()
      const queue = await openTaskQueue({ engine: 'redis', url: own.url }, quick)
      const consumer = queue.consume(async ({ payload }) => payload, { concurrency: 4, timeoutMs: 60_000 })
      const accepted = new Map<string, string>()
      let adding = true
      const adders = Array.from({ length: 4 }, async (_, adder) => {
        for (let n = 0; adding; n++) {
          const payload = `"${adder}-${n}"`
          await queue.enqueue({ kind: 'analysis', payload }).then(
            ({ task }) => accepted.set(task.id, payload),
            () => Bun.sleep(10),
          )
        }
      })
      for (let kill = 0; kill < 3; kill++) {
        const before = accepted.size
        await until(() => accepted.size > before + 50)
        await own.kill()
        await own.start()
      }
      adding = false
      await Promise.all(adders)
      for (const [id, payload] of accepted)
        expect(
          await until(async () => {
            const task = await queue.find(id).catch(() => undefined)
            return task?.status === 'completed' && task.result
          }),
        ).toBe(payload)
      await consumer.finish()
      await queue.close()
      await own.remove()
    }, 60_000)
  })

  test('durability reports a server without an append-only file', async () => {
    const own = await startRedis({ appendonly: false })
    const queue = await openTaskQueue({ engine: 'redis', url: own.url })
    expect(await queue.durability()).toEqual({
      durable: false,
      reason: expect.stringContaining('appendonly is off'),
    })
    await queue.close()
    await own.remove()
  })

  describe('durability where the platform keeps what the server has accepted', () => {
    /** What queues with and without `managed` report about a server without an append-only file. */
    async function report(
      args: readonly string[],
      { policy, acl }: { policy?: string; acl?: readonly string[] } = {},
    ) {
      const own = await startRedis({ appendonly: false, args })
      try {
        if (policy !== undefined) {
          await own.send('CONFIG', 'SET', 'maxmemory', '1gb')
          await own.send('CONFIG', 'SET', 'maxmemory-policy', policy)
        }
        const url = new URL(own.url)
        if (acl !== undefined) {
          await own.send('ACL', 'SETUSER', 'tally', 'on', '>secret', '~*', '&*', '+@all', ...acl)
          Object.assign(url, { username: 'tally', password: 'secret' })
        }
        const reports = await Promise.all(
          [true, false].map(async (managed) => {
            const queue = await openTaskQueue({ engine: 'redis', url: url.href, managed })
            try {
              // On a loaded machine the first connections may take too long.
              await until(() => queue.enqueue({ kind: 'analysis', payload: '"a"' }))
              return await until(() => queue.durability())
            } finally {
              await queue.close()
            }
          }),
        )
        return { managed: reports[0], otherwise: reports[1] }
      } finally {
        await own.remove()
      }
    }
    const lossy = (reason: string): Durability => ({
      durable: false,
      reason: expect.stringContaining(reason),
    })
    const isOff = lossy('appendonly is off')
    const isUnknown = lossy('does not report whether it persists')
    const keptWithout = (...unverified: Unverified[]): Durability => ({ durable: true, unverified })
    const keptByPlatform = keptWithout('persistence')

    const timeoutMs = 120_000

    test(
      'does not require an append-only file',
      async () => {
        expect(await report([])).toEqual({ managed: keptByPlatform, otherwise: isOff })
      },
      timeoutMs,
    )

    test(
      'still refuses eviction',
      async () => {
        const evicts = lossy('maxmemory-policy is allkeys-lru')
        expect(await report([], { policy: 'allkeys-lru' })).toEqual({ managed: evicts, otherwise: isOff })
        expect((await report([], { policy: 'noeviction' })).managed).toEqual(keptByPlatform)
      },
      timeoutMs,
    )

    test(
      'needs no CONFIG',
      async () => {
        expect(await report(['--rename-command', 'CONFIG', ''])).toEqual({
          managed: keptByPlatform,
          otherwise: isOff,
        })
        expect(await report([], { policy: 'allkeys-lru', acl: ['-config'] })).toEqual({
          managed: lossy('maxmemory-policy is allkeys-lru'),
          otherwise: isOff,
        })
      },
      timeoutMs,
    )

    test(
      'asks CONFIG where INFO is refused',
      async () => {
        expect(await report([], { policy: 'allkeys-lru', acl: ['-info'] })).toEqual({
          managed: lossy('maxmemory-policy is allkeys-lru'),
          otherwise: isOff,
        })
        expect(await report(['--rename-command', 'INFO', ''])).toEqual({
          managed: keptByPlatform,
          otherwise: isOff,
        })
      },
      timeoutMs,
    )

    test(
      'names what it could not find out where both are refused, and is not durable otherwise',
      async () => {
        const unknown = {
          managed: keptWithout('persistence', 'eviction'),
          otherwise: isUnknown,
        }
        expect(await report([], { acl: ['-info', '-config'] })).toEqual(unknown)
        expect(await report(['--rename-command', 'INFO', '', '--rename-command', 'CONFIG', ''])).toEqual(
          unknown,
        )
      },
      timeoutMs,
    )
  })
})
