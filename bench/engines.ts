import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DatabaseOptions } from '../src/database/open.ts'
import { startPostgres } from '../test/support/postgres.ts'

/** An empty database for a benchmark. */
export interface Engine {
  readonly name: string
  /** Options that open it in this process. */
  readonly store: DatabaseOptions
  /** Environment that makes a service open it. */
  readonly env: Readonly<Record<string, string>>
  remove(): Promise<void>
}

/** A file in a temporary directory. */
export async function sqliteEngine(): Promise<Engine> {
  const dataDir = await mkdtemp(join(tmpdir(), 'tally-bench-'))
  return {
    name: 'SQLite',
    store: { dataDir },
    env: { DATA_DIR: dataDir },
    remove: () => rm(dataDir, { recursive: true }),
  }
}

/** A server on this machine with default settings. */
export async function postgresEngine(): Promise<Engine> {
  const { url, remove } = await startPostgres()
  return { name: 'PostgreSQL', store: { url, dataDir: '.' }, env: { DATABASE_URL: url }, remove }
}
