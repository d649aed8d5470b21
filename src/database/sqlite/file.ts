import type { Database } from 'bun:sqlite'
import { DatabaseUnavailable } from '../errors.ts'
import { GroupCommit } from './group-commit.ts'
import { whenUnlocked } from './lock.ts'

/**
 * An open SQLite file, as its users see it: reads and writes are synchronous functions over `db`, and what happens
 * around them (the lock, the shared commit, the end) is done here. Several processes may have the same file open.
 */
export class SqliteFile {
  readonly db: Database
  readonly #commits: GroupCommit
  #closed: Promise<void> | undefined

  constructor(db: Database) {
    this.db = db
    this.#commits = new GroupCommit(db)
  }

  /**
   * Runs `work`, which only reads. In WAL mode readers do not wait for writers; the rare exceptions, such as another
   * process recovering the log after a crash, are waited for.
   *
   * @throws DatabaseUnavailable when the file is locked for too long, broken or closed
   */
  async read<T>(work: () => T): Promise<T> {
    this.#assertOpen()
    return await whenUnlocked(() => {
      this.#assertOpen()
      return work()
    })
  }

  /**
   * Runs `work` in a transaction, shared with other writes; resolves when it is on the disk.
   *
   * @param work synchronous; when it throws, its own changes are taken back and nobody else's
   * @throws what `work` threw, or DatabaseUnavailable when it could not be committed
   */
  async write<T>(work: () => T): Promise<T> {
    this.#assertOpen()
    return await this.#commits.write(work)
  }

  /** Commits what is waiting, then closes. A second call gives the same promise. */
  close(): Promise<void> {
    this.#closed ??= this.#commits.idle().then(() => this.db.close())
    return this.#closed
  }

  #assertOpen(): void {
    if (this.#closed) throw new DatabaseUnavailable('closed', 'the database is closed')
  }
}
