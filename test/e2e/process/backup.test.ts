import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { runCommand } from '../../support/command.ts'
import { createPostgresDatabase, havePostgres, type PostgresDatabase } from '../../support/postgres.ts'
import { hasProgram } from '../../support/programs.ts'
import { noDrainWindow, startService } from '../../support/service.ts'
import { DocumentLoad, everyDocument } from './document-load.ts'
import { Ledger } from './ledger.ts'

const timeoutMs = 90_000
const document = await Bun.file(join(import.meta.dir, '../../../docs/operations.md')).text()

type Environment = Readonly<Record<string, string>>

/** One engine with an empty database, and the variables of the documented commands. */
interface Place {
  readonly engine: 'sqlite' | 'postgres'
  readonly service: Environment
  /** The environment of a service that uses the restored data. */
  readonly restoredService: Environment
  readonly commands: Environment
}

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tally-backup-'))
})
afterAll(() => rm(directory, { recursive: true }))

describe.skipIf(!hasProgram('sh', 'dash'))('the commands of docs/operations.md', () => {
  test(
    'back up an SQLite file under writes and restore it over a file left by a kill',
    async () => {
      const service = { DATA_DIR: join(directory, 'data') }
      await backUpAndRestore({
        engine: 'sqlite',
        service,
        restoredService: service,
        commands: { ...service, BACKUP: join(directory, 'backup.db') },
      })
    },
    timeoutMs,
  )

  describe.skipIf(!havePostgres())('on PostgreSQL', () => {
    let database: PostgresDatabase
    beforeAll(async () => {
      database = await createPostgresDatabase()
    }, timeoutMs)
    afterAll(() => database?.remove())

    test(
      'back up a database under writes and restore it as another one',
      async () => {
        const url = new URL(database.url)
        await backUpAndRestore({
          engine: 'postgres',
          service: { DATABASE_URL: database.url },
          restoredService: { DATABASE_URL: `${database.url}_restored` },
          commands: {
            PGHOST: url.hostname,
            PGPORT: url.port,
            PGUSER: url.username,
            PGPASSWORD: url.password,
            PGDATABASE: url.pathname.slice(1),
            BACKUP: join(directory, 'tally.dump'),
            RESTORED: `${url.pathname.slice(1)}_restored`,
          },
        })
      },
      timeoutMs,
    )
  })
})

async function backUpAndRestore({ engine, service, restoredService, commands }: Place): Promise<void> {
  const before = new Ledger()
  const meanwhile = new Ledger()
  await using running = await startService({ env: { ...noDrainWindow, ...service } })
  const first = new DocumentLoad(running.url, { prefix: 'before', clients: 4, ledger: before })
  await first.untilConfirmed(400)
  await first.stop()
  const keyed = await createOnce(running.url)
  const settled = await everyDocument(running.url)

  const second = new DocumentLoad(running.url, { prefix: 'meanwhile', clients: 4, ledger: meanwhile })
  await second.untilConfirmed(50)
  await run(`${engine}: back up`, commands)
  await second.untilConfirmed(second.confirmed + 200)
  await second.stop()
  expect([...first.wrong, ...second.wrong, ...first.refused, ...second.refused]).toEqual([])
  expect(await run(`${engine}: check`, commands)).toMatch(/^ok$|TABLE DATA public documents/m)

  await running.kill()
  // Otherwise nothing would show that the commands remove the old log.
  if (engine === 'sqlite') expect(existsSync(join(commands.DATA_DIR ?? '', 'tally.db-wal'))).toBe(true)
  await run(`${engine}: restore`, commands)

  await using restored = await startService({ env: { ...noDrainWindow, ...restoredService } })
  const documents = await everyDocument(restored.url)
  expect(documents.slice(0, settled.length)).toEqual(settled)
  // The backup has all writes up to its time and none after it, and no document is torn.
  const late = documents.slice(settled.length)
  expect(late.filter((text) => JSON.parse(text).big === undefined)).toEqual([])
  expect(late.length).toBeLessThan(second.confirmed)
  // Other state is restored too: idempotency keys, and the position from which the order of creation continues.
  expect(await createOnce(restored.url)).toEqual(keyed)
  const after = new Ledger()
  const third = new DocumentLoad(restored.url, { prefix: 'after', clients: 4, ledger: after })
  await third.untilConfirmed(50)
  await third.stop()
  expect(third.wrong).toEqual([])
  const all = await everyDocument(restored.url)
  expect(all.slice(0, documents.length)).toEqual(documents)
  expect(after.differences(all.slice(documents.length))).toEqual([])
}

async function createOnce(url: string) {
  const response = await fetch(`${url}/data`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': 'the-one' },
    body: '{"id":"the-one","big":1}',
  })
  return { status: response.status, etag: response.headers.get('etag'), text: await response.text() }
}

/**
 * Runs a block of the document unchanged.
 *
 * @param name the comment above the block
 * @throws Error with the output of the commands if one fails
 */
async function run(name: string, env: Environment): Promise<string> {
  const [, commands] = new RegExp(`<!-- ${name} -->\n\`\`\`sh\n(.*?)\`\`\``, 's').exec(document) ?? []
  if (commands === undefined) throw new Error(`docs/operations.md has no block "${name}"`)
  const { exitCode, stdout, stderr } = await runCommand(['sh', '-eu', '-c', commands], {
    env: { PATH: `${dirname(process.execPath)}:${process.env.PATH}`, ...env },
  })
  if (exitCode !== 0) throw new Error(`${name} ended with ${exitCode}: ${stderr}`)
  return stdout
}
