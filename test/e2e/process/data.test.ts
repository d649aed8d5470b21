import { Database } from 'bun:sqlite'
import { describe, expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SQL } from 'bun'
import { createPostgresDatabase, havePostgres } from '../../support/postgres.ts'
import { rounds } from '../../support/rounds.ts'
import { noDrainWindow, runService, startService } from '../../support/service.ts'
import { DocumentLoad, everyDocument } from './document-load.ts'
import { Ledger } from './ledger.ts'

const clients = 8
const timeoutMs = 60_000 + rounds * 5_000

/** An empty database of one test. */
interface Place extends AsyncDisposable {
  /** The environment of a service that uses it. */
  readonly env: Readonly<Record<string, string>>
  /** Marks it as migrated by a newer version of the service, to a schema that this version cannot read. */
  migrateBeyond(version: number): Promise<void>
}

describe('on SQLite', () => {
  promises(async () => {
    const directory = await mkdtemp(join(tmpdir(), 'tally-data-'))
    return {
      env: { DATA_DIR: directory },
      async migrateBeyond(version) {
        const db = new Database(join(directory, 'tally.db'))
        db.run(`pragma user_version = ${version * 10_000 + version}`)
        db.close()
      },
      [Symbol.asyncDispose]: () => rm(directory, { recursive: true }),
    }
  })
})

describe.skipIf(!havePostgres())('on PostgreSQL', () => {
  promises(async () => {
    const { url, remove } = await createPostgresDatabase()
    return {
      env: { DATABASE_URL: url },
      async migrateBeyond(version) {
        await using sql = new SQL(url)
        await sql`insert into tally_migrations (version, requires) values (${version}, ${version})`
      },
      [Symbol.asyncDispose]: remove,
    }
  })
})

/**
 * The promises of /data when processes die, are several, or start together.
 *
 * @param makePlace called in each test
 */
function promises(makePlace: () => Promise<Place>): void {
  test(
    `in ${rounds} rounds of kill -9 while ${clients} clients write, every confirmed write is stored once and exactly, and a repetition with its key changes nothing`,
    async () => {
      await using place = await makePlace()
      const ledger = new Ledger()
      let unanswered = 0
      let repeated = 0
      await using services = new AsyncDisposableStack()
      const start = async () => services.use(await startService({ env: { ...noDrainWindow, ...place.env } }))
      let service = await start()
      // Also until a kill has interrupted a write with a key.
      for (let round = 0; round < rounds || repeated === 0; round++) {
        const load = new DocumentLoad(service.url, { prefix: `r${round}`, clients, ledger })
        // At a different number each time, so that the kill falls into different moments of a commit.
        await load.untilConfirmed(20 + round * 7)
        await service.kill()
        await load.stop()
        service = await start()
        expect(ledger.differences(await everyDocument(service.url))).toEqual([])
        repeated += await load.repeat(service.url)
        unanswered += load.unanswered
        expect(load.wrong).toEqual([])
        expect(load.refused).toEqual([])
      }
      expect(ledger.differences(await everyDocument(service.url))).toEqual([])
      // The kills did interrupt requests.
      expect(unanswered).toBeGreaterThan(rounds)
    },
    timeoutMs,
  )

  test(
    `two processes with ${clients} writing clients each lose and refuse nothing`,
    async () => {
      await using place = await makePlace()
      const ledger = new Ledger()
      await using first = await startService({ env: { ...noDrainWindow, ...place.env } })
      await using second = await startService({ env: { ...noDrainWindow, ...place.env } })
      const loads = [first, second].map(
        ({ url }, i) => new DocumentLoad(url, { prefix: `p${i}`, clients, ledger }),
      )
      await Promise.all(loads.map((load) => load.untilConfirmed(1_500)))
      await Promise.all(loads.map((load) => load.stop()))
      for (const { wrong, refused, unanswered } of loads)
        expect({ wrong, refused, unanswered }).toEqual({ wrong: [], refused: [], unanswered: 0 })
      for (const { url } of [first, second]) expect(ledger.differences(await everyDocument(url))).toEqual([])
    },
    timeoutMs,
  )

  test(
    '100 parallel POSTs with one Idempotency-Key to two processes create one document and get 100 equal responses',
    async () => {
      await using place = await makePlace()
      await using first = await startService({ env: { ...noDrainWindow, ...place.env } })
      await using second = await startService({ env: { ...noDrainWindow, ...place.env } })
      const answers = await Promise.all(
        Array.from({ length: 100 }, (_, i) => createOnce((i % 2 === 0 ? first : second).url)),
      )
      expect(answers[0]?.status).toBe(201)
      expect(answers[0]?.text).toContain('"n": 1.0')
      expect(answers).toEqual(Array(100).fill(answers[0]))
      expect(await everyDocument(second.url)).toHaveLength(1)

      await Promise.all([first.kill(), second.kill()])
      await using third = await startService({ env: { ...noDrainWindow, ...place.env } })
      expect(await createOnce(third.url)).toEqual(answers[0]!)
      expect(await everyDocument(third.url)).toHaveLength(1)
    },
    timeoutMs,
  )

  test(
    'four processes that start at once on an empty database all serve it',
    async () => {
      await using place = await makePlace()
      await using started = new AsyncDisposableStack()
      const start = async () => started.use(await startService({ env: { ...noDrainWindow, ...place.env } }))
      const services = await Promise.all(Array.from({ length: 4 }, start))
      const created = await Promise.all(services.map(({ url }, i) => create(url, `{"id":"${i}"}`)))
      expect(created).toEqual([201, 201, 201, 201])
      for (const { url } of services)
        expect((await everyDocument(url)).sort()).toEqual([
          '{"id":"0"}',
          '{"id":"1"}',
          '{"id":"2"}',
          '{"id":"3"}',
        ])
    },
    timeoutMs,
  )

  test(
    'the start fails on a database that a newer version has migrated, and names both versions and the remedy',
    async () => {
      await using place = await makePlace()
      await (await startService({ env: { ...noDrainWindow, ...place.env } })).stop()
      await place.migrateBeyond(1_000)
      const { exitCode, output } = await runService({ env: { ...noDrainWindow, ...place.env } })
      expect(exitCode).toBe(1)
      expect(output).toContain('"msg":"cannot start"')
      expect(output).toMatch(
        /the database's schema is version 1000 and needs a service that knows at least version 1000, this one knows \d+/,
      )
      expect(output).toContain('start a newer version, or restore the backup')
    },
    timeoutMs,
  )
}

async function create(url: string, body: string): Promise<number> {
  const headers = { 'content-type': 'application/json' }
  return (await fetch(`${url}/data`, { method: 'POST', headers, body })).status
}

/** Always the same request; returns the response without the fields that identify the request. */
async function createOnce(url: string) {
  const response = await fetch(`${url}/data`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': 'the-one' },
    body: '{"n": 1.0}',
  })
  const { status, headers } = response
  return { status, location: headers.get('location'), etag: headers.get('etag'), text: await response.text() }
}
