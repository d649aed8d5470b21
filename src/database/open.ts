import { Database, SQLiteError } from 'bun:sqlite'
import { DatabaseIncompatible, DatabaseUnavailable, SchemaTooNew } from './errors.ts'
import { type Migration, migrateSqlite, sqliteMigrations } from './migrations.ts'
import { PostgresPool, type PostgresPoolOptions } from './postgres/pool.ts'
import { SqliteFile } from './sqlite/file.ts'
import { retryWhileBusy } from './sqlite/lock.ts'
import { OpenFiles } from './sqlite/open-files.ts'
import { WriteAheadLog } from './sqlite/write-ahead-log.ts'

/** How long SQLite itself waits for a lock, which blocks the event loop. Longer waits are in sqlite/lock.ts. */
const busyTimeoutMs = 5
/** Page cache of one connection. SQLite's default is too small for paging through large documents. */
const cacheKib = 16 * 1024
/** The write-ahead log is truncated to this size after a checkpoint, so that a burst does not occupy the disk forever. */
const maxWalBytes = 64 * 1024 * 1024
/** SQLite's default. */
const pageBytes = 4 * 1024

export interface SqliteOptions {
  /** The steps to the newest schema. Only tests pass their own. */
  migrations?: readonly Migration[]
  /** Called when a checkpoint failed: the log grows until one succeeds. It must not throw. */
  onCheckpointError?: ((error: unknown) => void) | undefined
}

/**
 * Opens an SQLite file, creates it and its directory when they are missing, and migrates its schema. Several processes
 * may do so at once. `:memory:` opens a database that lives as long as this process.
 *
 * WAL lets readers continue during a write. Every commit is on the disk before it is confirmed, so an acknowledged write
 * survives a power cut, not only a killed process.
 *
 * @throws SchemaTooNew when a newer version of the service has migrated it to a schema that this one cannot work with
 * @throws DatabaseIncompatible when it cannot be opened, is not one of our SQLite files, or its file system cannot do WAL
 * @throws DatabaseUnavailable when other processes lock it for too long
 */
export async function openSqlite(path: string, options: SqliteOptions = {}): Promise<SqliteFile> {
  const { migrations = sqliteMigrations, onCheckpointError } = options
  let db: Database | undefined
  try {
    const opened = openFile(path)
    db = opened
    opened.run(`pragma busy_timeout = ${busyTimeoutMs}`)
    const mode = await retryWhileBusy(() =>
      opened.query<{ journal_mode: string }, []>('pragma journal_mode = wal').get(),
    )
    if (mode?.journal_mode !== 'wal' && path !== ':memory:') {
      throw new DatabaseIncompatible(
        `${path} cannot have a write-ahead log: SQLite needs a local file system`,
      )
    }
    opened.run(`pragma cache_size = -${cacheKib}`)
    opened.run(`pragma journal_size_limit = ${maxWalBytes}`)
    await retryWhileBusy(() => migrateSqlite(opened, migrations))
    if (path === ':memory:') return new SqliteFile(opened, undefined)
    // From here on WriteAheadLog syncs and checkpoints; SQLite does where that failed for a long time.
    opened.run('pragma synchronous = normal')
    opened.run(`pragma wal_autocheckpoint = ${maxWalBytes / pageBytes}`)
    const files = await OpenFiles.of(path, opened)
    return new SqliteFile(opened, { files, log: new WriteAheadLog(opened, files, { onCheckpointError }) })
  } catch (error) {
    db?.close()
    if (error instanceof SchemaTooNew || error instanceof DatabaseIncompatible) throw error
    if (error instanceof DatabaseUnavailable && error.reason === 'busy') throw error
    const reason = explainPermission(path) ?? (error as Error).message
    throw new DatabaseIncompatible(`cannot use ${path} as the database: ${reason}`, { cause: error })
  }
}

/** SQLITE_CANTOPEN: SQLite cannot create the file. */
const cantOpen = 14

/** Opens a file, and creates its directory when it is missing. */
function openFile(path: string): Database {
  const open = () => new Database(path, { create: true, readwrite: true, strict: true })
  try {
    return open()
  } catch (error) {
    if (!(error instanceof SQLiteError && error.errno === cantOpen)) throw error
    // Loaded only here, because most starts find the directory and loading these modules would delay them.
    const { dirname } = process.getBuiltinModule('node:path')
    process.getBuiltinModule('node:fs').mkdirSync(dirname(path), { recursive: true })
    return open()
  }
}

/** Names the directory or file that this process may not write: SQLite does not. Undefined when it may write both. */
function explainPermission(path: string): string | undefined {
  const { dirname } = process.getBuiltinModule('node:path')
  const { accessSync, constants, existsSync, statSync } = process.getBuiltinModule('node:fs')
  // The directory may be missing, because the one above it does not let us create it.
  let directory = dirname(path)
  while (!existsSync(directory) && directory !== dirname(directory)) directory = dirname(directory)
  const [denied] = [directory, path].filter((one) => {
    try {
      accessSync(one, constants.W_OK)
      return false
    } catch {
      return existsSync(one)
    }
  })
  if (denied === undefined) return undefined
  const kind = denied === path ? 'file' : 'directory'
  const uid = process.getuid?.()
  const owner = statSync(denied).uid
  return `uid ${uid} may not write the ${kind} ${denied}, which belongs to uid ${owner}: chown ${uid} ${denied}`
}

/**
 * Opens a pool on PostgreSQL. An unreachable server is not an error: calls fail with DatabaseUnavailable until it is
 * reachable, and the first call that succeeds migrates.
 *
 * @param url `postgres://user:password@host:port/database`, optionally with `?sslmode=`; it appears in no message
 * @throws DatabaseIncompatible when the URL is invalid, or the database is reachable but cannot be used
 * @throws SchemaTooNew when a newer version of the service has migrated it to a schema that this one cannot work with
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

/** The file in the data directory, unless a URL names another one. */
const sqliteFile = 'tally.db'

export interface DatabaseOptions {
  /** `sqlite:` and a path, or `postgres://…`. Default: `tally.db` in `dataDir`. */
  readonly url?: string | undefined
  /** The directory of relative SQLite paths. */
  readonly dataDir: string
  /** Pool size and time limits of PostgreSQL. */
  readonly postgres?: PostgresPoolOptions
  /** Called when a checkpoint of SQLite failed; see `SqliteOptions`. */
  readonly onCheckpointError?: ((error: unknown) => void) | undefined
}

/** An open database, shared by the documents and the tasks of a process. It may be closed twice. */
export type OpenDatabase =
  | { readonly engine: 'sqlite'; readonly file: SqliteFile; close(): Promise<void> }
  | { readonly engine: 'postgres'; readonly url: string; readonly pool: PostgresPool; close(): Promise<void> }

/**
 * Opens the database that a URL names.
 *
 * - `sqlite:tally.db`, `sqlite:///var/lib/tally/tally.db`: a file, created when missing; `sqlite::memory:` for tests
 * - `postgres://user:password@host:port/database`, also `postgresql://`: a server that may be unreachable at first; calls
 *   then fail with DatabaseUnavailable
 *
 * @throws DatabaseIncompatible when the URL or the database cannot be used
 * @throws SchemaTooNew when a newer version of the service has migrated it to a schema that this one cannot work with
 */
export async function openDatabase(options: DatabaseOptions): Promise<OpenDatabase> {
  const { url = `sqlite:${sqliteFile}`, dataDir, postgres = {}, onCheckpointError } = options
  if (/^postgres(ql)?:\/\//i.test(url)) {
    const pool = await openPostgres(url, postgres)
    return { engine: 'postgres', url, pool, close: () => pool.close() }
  }
  const path = sqlitePath(url, dataDir)
  if (path === undefined)
    throw new DatabaseIncompatible('the database URL must begin with sqlite:, postgres:// or postgresql://')
  if (path.includes('?'))
    throw new DatabaseIncompatible(
      'a database URL that begins with sqlite: has no parameters: remove what follows the ?',
    )
  const file = await openSqlite(path, { onCheckpointError })
  return { engine: 'sqlite', file, close: () => file.close() }
}

/**
 * The path of an `sqlite:` URL.
 *
 * @returns an absolute path, `:memory:`, or undefined for another scheme
 * @example sqlitePath('sqlite:a.db', '/data') // '/data/a.db'
 */
export function sqlitePath(url: string, dataDir: string): string | undefined {
  const path = /^sqlite:(?:\/\/)?(.+)$/i.exec(url)?.[1]
  if (path === undefined || path === ':memory:') return path
  // Without node:path, because loading it would delay the start.
  return path.startsWith('/') ? path : `${dataDir}/${path.replace(/^(\.\/)+/, '')}`
}
