import type { Database, Statement } from 'bun:sqlite'
import { DatabaseUnavailable } from '../errors.ts'
import { type CommitLog, GroupCommit } from './group-commit.ts'
import { retryWhileBusy } from './lock.ts'
import type { OpenFiles } from './open-files.ts'
import type { WriteAheadLog } from './write-ahead-log.ts'

/** The files of a database that is not in memory. */
export interface SqliteStorage {
  readonly files: OpenFiles
  readonly log: WriteAheadLog
}

/**
 * An open SQLite file. Reads and writes are synchronous functions over `db`; this class adds the lock, the shared
 * commit and the close. Several processes may have the same file open.
 */
export class SqliteFile {
  readonly db: Database
  readonly #storage: SqliteStorage | undefined
  readonly #commits: GroupCommit
  readonly #readDataVersion: Statement<{ data_version: number }, []>
  #closed: Promise<void> | undefined

  /** @param storage undefined for a database in memory */
  constructor(db: Database, storage: SqliteStorage | undefined) {
    this.db = db
    this.#storage = storage
    this.#commits = new GroupCommit(db, storage?.log ?? noLog)
    this.#readDataVersion = db.query('pragma data_version')
  }

  /**
   * Runs `work`, which only reads. In WAL mode readers do not wait for writers. There are rare exceptions, such as
   * another process recovering the log after a crash; then the read is repeated.
   *
   * @throws DatabaseUnavailable when the file is locked for too long, broken or closed, or other processes have another index
   */
  async read<T>(work: () => T): Promise<T> {
    this.#assertOpen()
    return await retryWhileBusy(() => {
      this.#assertOpen()
      this.#storage?.files.assertCurrent()
      return work()
    })
  }

  /**
   * Runs `work` in a transaction that it shares with other writes. Resolves when the transaction is on the disk.
   *
   * @param work synchronous; when it throws, only its own changes are rolled back
   * @throws what `work` threw, or DatabaseUnavailable when it could not be committed, or is in a file that was deleted
   */
  write<T>(work: () => T): Promise<T> {
    if (this.#closed) return Promise.reject(closedError())
    return this.#commits.write(work)
  }

  /**
   * Resolves when a write would succeed: no other process holds the lock for long, the disk has not failed, and the file has
   * not moved. Waits for no checkpoint and no fsync, which may take long beside large writes.
   *
   * @param read reads a table that has to be there
   * @throws DatabaseUnavailable when a write would fail
   */
  async ping(read: () => unknown): Promise<void> {
    if (this.#storage?.log.hasFailed) await this.write(read)
    else await this.read(() => this.#readWithLock(read))
    this.#storage?.files.assertUsable()
  }

  /**
   * A number that changes with each commit of another process, and not with those of this one.
   *
   * @returns undefined when it cannot be read at this moment, or the file is closed
   */
  dataVersion(): number | undefined {
    if (this.#closed) return undefined
    try {
      return this.#readDataVersion.get()?.data_version
    } catch {
      return undefined
    }
  }

  /** Commits what is waiting, then closes. A second call returns the same promise. */
  close(): Promise<void> {
    this.#closed ??= this.#commits.idle().then(() => {
      this.#storage?.log.close()
      this.db.close()
    })
    return this.#closed
  }

  #readWithLock(read: () => unknown): unknown {
    // Within a transaction of ours, which has the lock.
    if (this.db.inTransaction) return read()
    this.db.run('begin immediate')
    try {
      return read()
    } finally {
      this.db.run('rollback')
    }
  }

  #assertOpen(): void {
    if (this.#closed) throw closedError()
  }
}

/** A database in memory has no log, and no disk to wait for. */
const noLog: CommitLog = { prepare: () => undefined, assertLocks: () => {}, sync: async () => undefined }

const closedError = () => new DatabaseUnavailable('closed', 'the database is closed')
