import { join } from 'node:path'
import { DatabaseUnusable } from '../database/database-error.ts'
import type { PostgresPoolOptions } from '../database/postgres-pool.ts'
import { openPostgres, openSqlite } from '../database.ts'
import type { DocumentStore } from './document-store.ts'
import { PostgresDocumentStore } from './postgres.ts'
import { SqliteDocumentStore } from './sqlite.ts'

/** The file under the data directory when no URL says otherwise. The tasks of the embedded queue share it. */
const SQLITE_FILE = 'tally.db'

export interface StoreOptions {
  /** `sqlite:` and a path, or `postgres://…`. Left out: SQLITE_FILE in `dataDir`. */
  url?: string | undefined
  /** Where a relative SQLite path begins. */
  dataDir: string
  /** Pool size and time limits, for PostgreSQL. */
  postgres?: PostgresPoolOptions
  /** Milliseconds since the epoch. */
  now?: () => number
}

/**
 * Opens the documents; the URL's scheme picks the adapter.
 *
 * - `sqlite:tally.db`, `sqlite:///var/lib/tally/tally.db`: a file, made when missing; `sqlite::memory:` for tests
 * - `postgres://user:password@host:port/database`, also `postgresql://`: need not be there yet; the store then says
 *   StoreUnavailable until it is
 *
 * @throws DatabaseUnusable when the URL or the database is not usable; SchemaTooNew when a newer version has migrated it
 */
export async function openStore(options: StoreOptions): Promise<DocumentStore> {
  const { url = `sqlite:${SQLITE_FILE}`, dataDir, postgres = {}, now = Date.now } = options
  if (/^postgres(ql)?:\/\//i.test(url)) {
    return new PostgresDocumentStore(await openPostgres(url, postgres), now)
  }
  const path = sqlitePath(url, dataDir)
  if (path !== undefined) return new SqliteDocumentStore(await openSqlite(path), now)
  throw new DatabaseUnusable('the database URL has to begin with sqlite:, postgres:// or postgresql://')
}

/**
 * Where the file of an `sqlite:` URL is.
 *
 * @returns an absolute path, `:memory:`, or undefined for another scheme
 * @example sqlitePath('sqlite:a.db', '/data') // '/data/a.db'
 */
export function sqlitePath(url: string, dataDir: string): string | undefined {
  const path = /^sqlite:(?:\/\/)?(.+)$/i.exec(url)?.[1]
  if (path === undefined || path === ':memory:') return path
  return path.startsWith('/') ? path : join(dataDir, path)
}
