import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { parseConfig } from '../../src/config.ts'
import { createLifecycle } from '../../src/lifecycle/index.ts'
import { openQueueFromConfig } from '../../src/server/storage.ts'
import { memoryLog } from '../support/memory-log.ts'
import { haveRedis, type RedisServer, startRedis } from '../support/redis.ts'
import { until } from '../support/until.ts'

setDefaultTimeout(120_000)

describe.skipIf(!haveRedis())('a start in production on a Redis without an append-only file', () => {
  let server: RedisServer
  beforeAll(async () => {
    server = await startRedis({ appendonly: false })
  })
  afterAll(() => server?.remove())

  /** Opens the queue as a start does. */
  async function open(durable: string): Promise<{ refusal: string | undefined; messages: object[] }> {
    const parsed = parseConfig({
      ENVIRONMENT: 'production',
      REDIS_URL: server.url,
      REDIS_DURABLE: durable,
      DRAIN_MAX: '0s',
    })
    if (!parsed.ok) throw new Error(parsed.problems.join(', '))
    const lifecycle = createLifecycle()
    const { log, messages } = memoryLog()
    const noDatabase = () => Promise.reject(new Error('the queue is on Redis'))
    try {
      await openQueueFromConfig(lifecycle, parsed.config, noDatabase, log, undefined)
      return { refusal: undefined, messages: await messages() }
    } catch (error) {
      return { refusal: (error as Error).message, messages: await messages() }
    } finally {
      await lifecycle.shutdown('SIGTERM')
    }
  }

  /** Repeated: a start does not wait long for the report of a Redis, which a loaded machine may delay. */
  const untilOpened = (durable: string, isReported: (outcome: Awaited<ReturnType<typeof open>>) => boolean) =>
    until(async () => {
      const outcome = await open(durable)
      return isReported(outcome) && outcome
    })

  test('is refused, and names both ways out', async () => {
    const { refusal } = await untilOpened('true', (outcome) => outcome.refusal !== undefined)
    expect(refusal).toContain('appendonly is off')
    expect(refusal).toContain('REDIS_DURABLE=managed')
    expect(refusal).toContain('REDIS_DURABLE=false')
  })

  test('warns where losses are accepted', async () => {
    const { refusal, messages } = await untilOpened('false', (outcome) => outcome.messages.length > 0)
    expect(refusal).toBeUndefined()
    expect(messages).toMatchObject([{ level: 'warn', msg: 'accepted tasks may be lost' }])
  })

  test('logs that the platform keeps tasks, and what Redis did not show', async () => {
    const { refusal, messages } = await untilOpened('managed', (outcome) => outcome.messages.length > 0)
    expect(refusal).toBeUndefined()
    expect(messages).toMatchObject([
      { level: 'info', msg: 'the platform keeps accepted tasks', unverified: ['persistence'] },
    ])
  })

  test('is refused with eviction, also where the platform keeps tasks', async () => {
    await server.send('CONFIG', 'SET', 'maxmemory', '1gb')
    await server.send('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru')
    const { refusal } = await untilOpened('managed', (outcome) => outcome.refusal !== undefined)
    expect(refusal).toContain('maxmemory-policy is allkeys-lru')
  })
})
