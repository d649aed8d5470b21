import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { maxWaitingCalls, type PostgresPoolOptions } from '../../src/database/postgres/pool.ts'
import { type DocumentStore, StoreUnavailable } from '../../src/documents/document-store.ts'
import { openDocumentStore } from '../../src/documents/open.ts'
import { havePostgres, type PostgresServer, patientPool, startPostgres } from '../support/postgres.ts'
import { rejectionOf } from '../support/rejection.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { until } from '../support/until.ts'
import { documentStoreContract } from './contract.ts'
import { severalProcessesContract } from './several-processes.ts'

const timeoutMs = 60_000

describe.skipIf(!havePostgres())('on PostgreSQL', () => {
  let server: PostgresServer

  beforeAll(async () => {
    server = await startPostgres()
  }, timeoutMs)
  afterAll(() => server?.remove())

  /** Empties the one database. A new one would cost more, because the next shutdown would have to write its files. */
  async function resetDatabase(): Promise<string> {
    await server.psql('drop schema public cascade; create schema public')
    return server.url
  }

  const openAt = (url: string, postgres: PostgresPoolOptions = {}) =>
    openDocumentStore({ url, dataDir: '.', postgres })

  describe('the contract', () => {
    // With its tables: the migrations of a new schema would be most of the work of a test.
    beforeAll(async () => {
      const store = await openAt(await resetDatabase(), patientPool)
      await store.ping()
      await store.close()
    }, timeoutMs)
    documentStoreContract(async () => {
      await server.psql('truncate documents, idempotency_keys')
      const { url } = server
      return {
        open: (now = Date.now) => openDocumentStore({ url, dataDir: '.', now, postgres: patientPool }),
        remove: async () => {},
      }
    })
  })

  describe('several processes', () => {
    severalProcessesContract(async () => ({
      url: await resetDatabase(),
      dataDir: '.',
      remove: async () => {},
    }))
  })

  describe('while the server stops and starts', () => {
    for (const end of ['stop', 'crash'] as const) {
      test(
        `calls during a ${end} fail only with StoreUnavailable, and every confirmed document survives`,
        async () => {
          const store = await openAt(await resetDatabase())
          const load = startLoad(store)
          await until(() => load.confirmed.length > 100)
          await server[end]()
          const failedBefore = load.failures.length
          await until(() => load.failures.length > failedBefore + 50)
          await server.start()
          const confirmedBefore = load.confirmed.length
          await until(() => load.confirmed.length > confirmedBefore + 100)
          await load.stop()

          expect(load.failures.filter((error) => !(error instanceof StoreUnavailable))).toEqual([])
          for (const id of load.confirmed) expect((await store.get(id))?.body).toBe(`{"id":"${id}"}`)
          await store.close()
        },
        timeoutMs,
      )

      test(
        `reads and creations survive a ${end} and start between calls`,
        async () => {
          const store = await openAt(await resetDatabase())
          // Many concurrent calls, so that every connection of the pool is open and then stale.
          const many = (prefix: string) =>
            Array.from({ length: 40 }, (_, n) => store.create({ id: `${prefix}${n}`, body: '{}' }))
          await Promise.all(many('before'))
          await server[end]()
          await server.start()
          await Promise.all([...many('after'), store.get('before1'), store.list({ limit: 10 })])
          await store.close()
        },
        timeoutMs,
      )
    }

    test(
      'a store that opens before its server starts works afterwards',
      async () => {
        const url = await resetDatabase()
        await server.stop()
        const store = await openAt(url)
        await expect(store.ping()).rejects.toBeInstanceOf(StoreUnavailable)
        await expect(store.create({ id: 'a', body: '{}' })).rejects.toBeInstanceOf(StoreUnavailable)
        await server.start()
        await store.create({ id: 'a', body: '{}' })
        expect((await store.get('a'))?.body).toBe('{}')
        await store.close()
      },
      timeoutMs,
    )

    test(
      'a creation whose confirmation was lost recognizes its own document instead of a conflict',
      async () => {
        const proxy = startTcpProxy(server.port)
        const url = (await resetDatabase()).replace(`:${server.port}/`, `:${proxy.port}/`)
        const store = await openAt(url, { maxConnections: 1 })
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
      timeoutMs,
    )

    test(
      'a silent server costs one time limit, then calls fail at once until the server answers again',
      async () => {
        const proxy = startTcpProxy(server.port)
        const url = (await resetDatabase()).replace(`:${server.port}/`, `:${proxy.port}/`)
        // With a single connection, keeping the dead one would block every later call.
        const limits = {
          maxConnections: 1,
          connectTimeoutMs: 500,
          statementTimeoutMs: 300,
          callTimeoutMs: 400,
        }
        const store = await openAt(url, limits)
        // A busy machine may reach the short limits before the server is silent.
        await untilAvailable(() => store.replace('a', '{}'))
        proxy.freeze()
        await expect(store.get('a')).rejects.toBeInstanceOf(StoreUnavailable)
        await until(async () => {
          const error = (await rejectionOf(store.get('a'))) as StoreUnavailable
          expect(error).toBeInstanceOf(StoreUnavailable)
          // With any other cause it has waited for the server.
          return (error.cause as Error).message === 'the database did not answer a moment ago'
        })
        proxy.thaw()
        await untilAvailable(() => store.get('a'))
        await store.close()
        proxy.close()
      },
      timeoutMs,
    )
  })

  test(
    'a silent address fails after its time limit, and a refused connection before any',
    async () => {
      const proxy = startTcpProxy(server.port)
      proxy.freeze()
      const silent = await openAt(server.url.replace(`:${server.port}/`, `:${proxy.port}/`))
      const refused = await openAt('postgres://tally:x@127.0.0.1:1/tally', {
        connectTimeoutMs: 10 * timeoutMs,
        callTimeoutMs: 10 * timeoutMs,
      })
      for (const store of [silent, refused]) {
        await expect(store.ping()).rejects.toBeInstanceOf(StoreUnavailable)
        await store.close()
      }
      proxy.close()
    },
    timeoutMs,
  )

  test('calls beyond the waiting limit fail at once, and the others succeed', async () => {
    const store = await openAt(await resetDatabase(), { ...patientPool, maxConnections: 2 })
    await store.ping()
    const outcomes: string[] = []
    const calls = Array.from({ length: 2 + maxWaitingCalls + 500 }, () =>
      store.get('a').then(
        () => outcomes.push('found'),
        ({ code }) => outcomes.push(code),
      ),
    )
    await Promise.all(calls)
    // In the order of their ends: no refused call waited for another one.
    expect(outcomes).toEqual([
      ...Array(500).fill('store-unavailable'),
      ...Array(2 + maxWaitingCalls).fill('found'),
    ])
    await store.close()
  })

  test('a database that is emptied under a running store is migrated again after one failed call', async () => {
    const store = await openAt(await resetDatabase())
    await store.create({ id: 'a', body: '{}' })
    await resetDatabase()
    await expect(store.get('a')).rejects.toBeInstanceOf(StoreUnavailable)
    expect(await store.get('a')).toBeUndefined()
    await store.close()
  })
})

/** Runs eight loops that create, read and list without a pause, and records the outcomes. */
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
        // A rejection is immediate, so the loop must yield to the event loop.
        await Bun.sleep(1)
      }
    }
  }
  const loops = Promise.all(Array.from({ length: 8 }, loop))
  return {
    confirmed,
    failures,
    async stop() {
      running = false
      await loops
    },
  }
}

async function untilAvailable(call: () => Promise<unknown>): Promise<void> {
  for (;;) {
    try {
      return void (await call())
    } catch (error) {
      expect(error).toBeInstanceOf(StoreUnavailable)
      await Bun.sleep(20)
    }
  }
}
