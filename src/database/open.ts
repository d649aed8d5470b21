import { Database, SQLiteError } from 'bun:sqlite'
import { DatabaseUnavailable, DatabaseUnusable, SchemaTooNew } from './errors.ts'
import { migrateSqlite, SQLITE_MIGRATIONS } from './migrations.ts'
import { PostgresPool, type PostgresPoolOptions } from './postgres/pool.ts'
import { SqliteFile } from './sqlite/file.ts'
import { whenUnlocked } from './sqlite/lock.ts'

/** How long SQLite may sleep for a lock with the event loop standing still; longer waits are ours (sqlite-lock.ts). */
const BUSY_TIMEOUT_MS = 5
/** Page cache of one connection. Negative means KiB in SQLite's own notation; the built-in 2 MiB is little for paging. */
const CACHE_KIB = 16 * 1024
/** The write-ahead log is cut back to this size after a checkpoint, so that one burst does not keep its disk space. */
const WAL_BYTES_KEPT = 64 * 1024 * 1024

export interface SqliteOptions {
  /** The steps to the newest schema. Handed in by tests; everybody else takes the real ones. */
  migrations?: readonly string[]
}

/**
 * Opens an SQLite file, makes it and its directory when they are missing, and brings its schema up to date. Several
 * processes may do so at once. `:memory:` gives a database that lives as long as this process.
 *
 * WAL lets readers go on while somebody writes; synchronous=FULL has every commit on the disk before it returns, so an
 * acknowledged write survives a power cut, not only a killed process.
 *
 * @throws SchemaTooNew when a newer version of the service has written it
 * @throws DatabaseUnusable when it cannot be opened, is no SQLite file of ours, or lies on a file system without WAL
 * @throws DatabaseUnavailable when other processes keep it locked for longer than LOCK_WAIT_MS_MAX
 */
export async function openSqlite(path: string, options: SqliteOptions = {}): Promise<SqliteFile> {
  const { migrations = SQLITE_MIGRATIONS } = options
  let db: Database | undefined
  try {
    const opened = openFile(path)
    db = opened
    opened.run(`pragma busy_timeout = ${BUSY_TIMEOUT_MS}`)
    const mode = await whenUnlocked(() =>
      opened.query<{ journal_mode: string }, []>('pragma journal_mode = wal').get(),
    )
    if (mode?.journal_mode !== 'wal' && path !== ':memory:') {
      throw new DatabaseUnusable(`${path}: no write-ahead log here; SQLite needs a local file system`)
    }
    opened.run('pragma synchronous = full')
    opened.run(`pragma cache_size = -${CACHE_KIB}`)
    opened.run(`pragma journal_size_limit = ${WAL_BYTES_KEPT}`)
    await whenUnlocked(() => migrateSqlite(opened, migrations))
    return new SqliteFile(opened)
  } catch (error) {
    db?.close()
    if (error instanceof SchemaTooNew || error instanceof DatabaseUnusable) throw error
    if (error instanceof DatabaseUnavailable && error.reason === 'busy') throw error
    throw new DatabaseUnusable(`cannot use ${path} as the database: ${(error as Error).message}`, {
      cause: error,
    })
  }
}

/** SQLite's code for a file that it cannot make. */
const CANTOPEN = 14

/** Opens a file, and makes its directory when it is missing. */
function openFile(path: string): Database {
  const open = () => new Database(path, { create: true, readwrite: true, strict: true })
  try {
    return open()
  } catch (error) {
    if (!(error instanceof SQLiteError && error.errno === CANTOPEN)) throw error
    // Loaded only here: they take 3 ms, for a directory that most starts find.
    const { dirname } = process.getBuiltinModule('node:path')
    process.getBuiltinModule('node:fs').mkdirSync(dirname(path), { recursive: true })
    return open()
  }
}

/**
 * Opens a pool on PostgreSQL. A server that cannot be reached now is no error: calls fail with DatabaseUnavailable
 * until it is there, and the first one that gets through migrates.
 *
 * @param url `postgres://user:password@host:port/database`, with `?sslmode=` when wanted; it appears in no message
 * @throws DatabaseUnusable when the URL is not one, or the database is there and not fit for use
 * @throws SchemaTooNew when a newer version of the service has migrated it
 */
export async function openPostgres(url: string, options: PostgresPoolOptions = {}): Promise<PostgresPool> {
  const pool = new PostgresPool(url, options)
  try {
    await pool.ping()
  } catch (error) {
    if (error instanceof DatabaseUnavailable) return pool
    await pool.close()
    throw error
  }
  return pool
}

/** The file under the data directory when no URL says otherwise. */
const SQLITE_FILE = 'tally.db'

export interface DatabaseOptions {
  /** `sqlite:` and a path, or `postgres://…`. Left out: SQLITE_FILE in `dataDir`. */
  readonly url?: string | undefined
  /** Where a relative SQLite path begins. */
  readonly dataDir: string
  /** Pool size and time limits, for PostgreSQL. */
  readonly postgres?: PostgresPoolOptions
}

/** An open database, shared by the documents and the tasks of a process. Closing it twice is no error. */
export type OpenDatabase =
  | { readonly engine: 'sqlite'; readonly file: SqliteFile; close(): Promise<void> }
  | { readonly engine: 'postgres'; readonly url: string; readonly pool: PostgresPool; close(): Promise<void> }

/**
 * Opens the database that a URL names.
 *
 * - `sqlite:tally.db`, `sqlite:///var/lib/tally/tally.db`: a file, made when missing; `sqlite::memory:` for tests
 * - `postgres://user:password@host:port/database`, also `postgresql://`: need not be there yet; calls then fail with
 *   DatabaseUnavailable until it is
 *
 * @throws DatabaseUnusable when the URL or the database is not usable; SchemaTooNew when a newer version has migrated it
 */
export async function openDatabase(options: DatabaseOptions): Promise<OpenDatabase> {
  const { url = `sqlite:${SQLITE_FILE}`, dataDir, postgres = {} } = options
  if (/^postgres(ql)?:\/\//i.test(url)) {
    const pool = await openPostgres(url, postgres)
    return { engine: 'postgres', url, pool, close: () => pool.close() }
  }
  const path = sqlitePath(url, dataDir)
  if (path === undefined)
    throw new DatabaseUnusable('the database URL has to begin with sqlite:, postgres:// or postgresql://')
  const file = await openSqlite(path)
  return { engine: 'sqlite', file, close: () => file.close() }
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
  // Not by node:path, which takes 1.4 ms to load.
  return path.startsWith('/') ? path : `${dataDir}/${path.replace(/^(\.\/)+/, '')}`
}
