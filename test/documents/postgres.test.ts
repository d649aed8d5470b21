import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { CALLS_WAITING_MAX, type PostgresPoolOptions } from '../../src/database/postgres/pool.ts'
import { type DocumentStore, StoreUnavailable } from '../../src/documents/document-store.ts'
import { openStore } from '../../src/documents/open.ts'
import { havePostgres, type PostgresServer, startPostgres } from '../support/postgres.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { documentStoreContract } from './contract.ts'
import { severalProcessesContract } from './several-processes.ts'

const TIMEOUT_MS = 60_000

describe.skipIf(!havePostgres())('on PostgreSQL', () => {
  let server: PostgresServer

  beforeAll(async () => {
    server = await startPostgres()
  }, TIMEOUT_MS)
  afterAll(() => server?.remove())

  /** The one database, emptied: cheaper than a new one, whose files the next shutdown would have to write out. */
  async function emptyDatabase(): Promise<string> {
    await server.psql('drop schema public cascade; create schema public')
    return server.url
  }

  const openAt = (url: string, postgres: PostgresPoolOptions = {}) =>
    openStore({ url, dataDir: '.', postgres })

  describe('the contract', () => {
    documentStoreContract(async () => {
      const url = await emptyDatabase()
      return {
        open: (now = Date.now) => openStore({ url, dataDir: '.', now }),
        remove: async () => {},
      }
    })
  })

  describe('several processes', () => {
    severalProcessesContract(async () => ({
      url: await emptyDatabase(),
      dataDir: '.',
      remove: async () => {},
    }))
  })

  describe('while the server goes and comes', () => {
    for (const end of ['stop', 'crash'] as const) {
      test(
        `a ${end} under calls gives StoreUnavailable and nothing else, and what was confirmed is there afterwards`,
        async () => {
          const store = await openAt(await emptyDatabase())
          const load = startLoad(store)
          await load.until(() => load.confirmed.length > 100)
          await server[end]()
          const failedBefore = load.failures.length
          await load.until(() => load.failures.length > failedBefore + 50)
          await server.start()
          const startedAt = performance.now()
          const confirmedBefore = load.confirmed.length
          await load.until(() => load.confirmed.length > confirmedBefore)
          const recoveryMs = performance.now() - startedAt
          await load.until(() => load.confirmed.length > confirmedBefore + 100)
          await load.stop()

          expect(load.failures.filter((error) => !(error instanceof StoreUnavailable))).toEqual([])
          expect(recoveryMs).toBeLessThan(5_000)
          for (const id of load.confirmed) expect((await store.get(id))?.body).toBe(`{"id":"${id}"}`)
          await store.close()
        },
        TIMEOUT_MS,
      )

      test(
        `a ${end} and start between calls is not noticed by reads and creations`,
        async () => {
          const store = await openAt(await emptyDatabase())
          // Many at once, so that every connection of the pool is open and then stale.
          const many = (prefix: string) =>
            Array.from({ length: 40 }, (_, n) => store.create({ id: `${prefix}${n}`, body: '{}' }))
          await Promise.all(many('before'))
          await server[end]()
          await server.start()
          await Promise.all([...many('after'), store.get('before1'), store.list({ limit: 10 })])
          await store.close()
        },
        TIMEOUT_MS,
      )
    }

    test(
      'a store that is opened before the server is there works when it is',
      async () => {
        const url = await emptyDatabase()
        await server.stop()
        const store = await openAt(url)
        await expect(store.ping()).rejects.toBeInstanceOf(StoreUnavailable)
        await expect(store.create({ id: 'a', body: '{}' })).rejects.toBeInstanceOf(StoreUnavailable)
        await server.start()
        await store.create({ id: 'a', body: '{}' })
        expect((await store.get('a'))?.body).toBe('{}')
        await store.close()
      },
      TIMEOUT_MS,
    )

    test(
      'a creation whose confirmation was lost is found to be its own, not a conflict',
      async () => {
        const proxy = startTcpProxy(server.port)
        const url = (await emptyDatabase()).replace(`:${server.port}/`, `:${proxy.port}/`)
        const store = await openAt(url, { connectionsMax: 1 })
        await store.create({ id: 'first', body: '{}' })
        proxy.cutAfterNextRequest()
        const { document } = await store.create({ id: 'a', body: '{"a":1}' })
        expect(proxy.cuts()).toBe(1)
        expect(await store.get('a')).toEqual(document)

        const key = { scope: 's', key: 'k', fingerprint: 'f' }
        await expect(store.create({ id: 'a', body: '{}' })).rejects.toMatchObject({ code: 'document-exists' })
        expect((await store.create({ id: 'b', body: '{}' }, key)).replayed).toBe(false)
        await store.close()
        proxy.close()
      },
      TIMEOUT_MS,
    )

    test(
      'a server that falls silent costs one time limit, then calls fail at once, and it is found again',
      async () => {
        const proxy = startTcpProxy(server.port)
        const url = (await emptyDatabase()).replace(`:${server.port}/`, `:${proxy.port}/`)
        // With one connection, keeping the dead one would mean never getting through again.
        const limits = { connectionsMax: 1, connectMsMax: 500, statementMsMax: 300, callMsMax: 400 }
        const store = await openAt(url, limits)
        await store.create({ id: 'a', body: '{}' })
        proxy.freeze()
        await expect(store.get('a')).rejects.toBeInstanceOf(StoreUnavailable)
        const before = performance.now()
        await expect(store.get('a')).rejects.toBeInstanceOf(StoreUnavailable)
        expect(performance.now() - before).toBeLessThan(limits.callMsMax)
        proxy.thaw()
        await untilItWorks(() => store.get('a'))
        await store.close()
        proxy.close()
      },
      TIMEOUT_MS,
    )
  })

  test('an address where nobody answers fails within seconds, a refused one before any time limit', async () => {
    const proxy = startTcpProxy(server.port)
    proxy.freeze()
    const silent = await openAt(server.url.replace(`:${server.port}/`, `:${proxy.port}/`))
    const refused = await openAt('postgres://tally:x@127.0.0.1:1/tally')
    for (const [store, msMax] of [
      [silent, 3_000],
      [refused, 1_000],
    ] as const) {
      const before = performance.now()
      await expect(store.ping()).rejects.toBeInstanceOf(StoreUnavailable)
      expect(performance.now() - before).toBeLessThan(msMax)
      await store.close()
    }
    proxy.close()
  })

  test('more calls than may wait are refused at once, and the others are served', async () => {
    const store = await openAt(await emptyDatabase(), { connectionsMax: 2 })
    await store.ping()
    const calls = Array.from({ length: 2 + CALLS_WAITING_MAX + 500 }, () => store.get('a'))
    const outcomes = await Promise.allSettled(calls)
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected')
    expect(refused.map(({ reason }) => reason.code)).toEqual(Array(500).fill('store-unavailable'))
    await store.close()
  })

  test('a database emptied under a running store is migrated again by the call after the failed one', async () => {
    const store = await openAt(await emptyDatabase())
    await store.create({ id: 'a', body: '{}' })
    await emptyDatabase()
    await expect(store.get('a')).rejects.toBeInstanceOf(StoreUnavailable)
    expect(await store.get('a')).toBeUndefined()
    await store.close()
  })
})

/** Eight loops that create, read and list without a pause, and remember what they were told. */
function startLoad(store: DocumentStore) {
  const confirmed: string[] = []
  const failures: unknown[] = []
  let running = true
  const loop = async () => {
    while (running) {
      const id = Bun.randomUUIDv7()
      try {
        await store.create({ id, body: `{"id":"${id}"}` })
        confirmed.push(id)
        await store.get(id)
        await store.list({ limit: 5 })
        await store.create({ id: `k${id}`, body: '{}' }, { scope: 's', key: id, fingerprint: 'f' })
      } catch (error) {
        failures.push(error)
        // A refusal takes no time at all; without a turn of the event loop nothing else would run.
        await Bun.sleep(1)
      }
    }
  }
  const loops = Promise.all(Array.from({ length: 8 }, loop))
  return {
    confirmed,
    failures,
    async until(condition: () => boolean) {
      while (!condition()) await Bun.sleep(5)
    },
    async stop() {
      running = false
      await loops
    },
  }
}

async function untilItWorks(call: () => Promise<unknown>): Promise<void> {
  for (;;) {
    try {
      return void (await call())
    } catch (error) {
      expect(error).toBeInstanceOf(StoreUnavailable)
      await Bun.sleep(20)
    }
  }
}
