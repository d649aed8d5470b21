import type { Database, Statement } from 'bun:sqlite'
import { programUrl } from '../../threads/program-url.ts'
import { ThreadPool } from '../../threads/thread-pool.ts'
import { DatabaseUnavailable } from '../errors.ts'

/** Pages in the log that are not in the database, from which on a checkpoint is worth its time: SQLite's own default. */
const checkpointPages = 1_000
/** A longer sync delays other requests, in ms. The next `slowSyncs` ones are left to a thread. */
const maxFastSyncMs = 0.2
const slowSyncs = 1_000
/** How long the thread is kept without a checkpoint, in ms. */
const idleMs = 10_000

export interface WriteAheadLogOptions {
  /** Brings a file to the disk. Only tests pass their own. Default: fdatasync. */
  readonly syncFile?: (path: string) => Promise<void> | undefined
}

/**
 * The write-ahead log of an SQLite file. A commit appends to it. Its two slow steps wait for the disk, and SQLite would do
 * both in the call that commits, on the event loop. Here other threads do them: `sync` and `checkpoint`.
 */
export class WriteAheadLog {
  readonly #path: string
  readonly #measure: Statement<{ log: number; checkpointed: number }, []>
  readonly #threads: ThreadPool<string>
  readonly #syncFile: (path: string) => Promise<void> | undefined
  readonly #file = new LogFile()
  #checkpointAt = checkpointPages
  #failure: DatabaseUnavailable | undefined

  /**
   * @param db a connection whose commits sync nothing themselves (synchronous=NORMAL)
   * @param path of the database
   */
  constructor(db: Database, path: string, { syncFile }: WriteAheadLogOptions = {}) {
    this.#path = path
    // An SQLite before 3.51 copies the log here instead of measuring it.
    this.#measure = db.query('pragma wal_checkpoint(noop)')
    this.#syncFile = syncFile ?? ((log) => this.#file.sync(log))
    this.#threads = new ThreadPool({
      start: () => new Worker(programUrl('checkpoint-worker', import.meta.url), { ref: false, smol: true }),
      maxThreads: 1,
      maxWaiting: 1,
      idleMs,
    })
  }

  /**
   * Resolves when everything that was committed before the call is on the disk.
   *
   * @throws DatabaseUnavailable when the disk failed. So do all calls until a checkpoint has succeeded: the system reports
   *   a failure only once, and what it could not write would be missing in the middle of the log.
   */
  async sync(): Promise<void> {
    if (this.#failure === undefined) {
      try {
        return await this.#syncFile(`${this.#path}-wal`)
      } catch (cause) {
        const message = `the log of ${this.#path} did not reach the disk: ${(cause as Error).message}`
        this.#failure = new DatabaseUnavailable('full', message, { cause })
      }
    }
    throw this.#failure
  }

  /**
   * Copies a long log to the database. Call it between two transactions and wait: then the checkpoint can copy the whole
   * log, and the next transaction writes to its beginning. Reads continue meanwhile.
   *
   * @returns undefined when there is nothing to wait for
   * @throws DatabaseUnavailable when the disk failed, and still does
   */
  checkpointIfLong(): Promise<void> | undefined {
    if (this.#failure === undefined && this.#uncopiedPages() < this.#checkpointAt) return undefined
    return this.#checkpoint()
  }

  /** Call it before the database is closed. */
  close(): void {
    this.#threads.close()
    this.#file.close()
  }

  async #checkpoint(): Promise<void> {
    try {
      await this.#threads.run(this.#path)
    } catch {
      // Without a failure nothing is lost yet, and a longer log brings the next attempt.
      if (this.#failure !== undefined) throw this.#failure
    }
    const uncopied = this.#uncopiedPages()
    this.#checkpointAt = uncopied + checkpointPages
    // The log was complete in memory. Now the database has all of it, and the disk has the database.
    if (uncopied === 0) this.#failure = undefined
    if (this.#failure !== undefined) throw this.#failure
  }

  #uncopiedPages(): number {
    try {
      const row = this.#measure.get()
      return row === null ? 0 : row.log - row.checkpointed
    } catch {
      // Another process is recovering the log.
      return 0
    }
  }
}

/** The log as an open file. */
class LogFile {
  #descriptor: number | undefined
  /** This many syncs are left to a thread, before another one is tried here. */
  #slowCount = 0

  /** @returns undefined when the disk was so fast that a thread would have cost more */
  sync(path: string): Promise<void> | undefined {
    // Loaded at the first write, because it would lengthen every start.
    const { fdatasync, fdatasyncSync, openSync } = process.getBuiltinModule('node:fs')
    this.#descriptor ??= openSync(path, 'r')
    const descriptor = this.#descriptor
    if (this.#slowCount > 0) {
      this.#slowCount--
      return new Promise((resolve, reject) => {
        fdatasync(descriptor, (error) => (error ? reject(error) : resolve()))
      })
    }
    const startedAt = performance.now()
    fdatasyncSync(descriptor)
    if (performance.now() - startedAt > maxFastSyncMs) this.#slowCount = slowSyncs
    return undefined
  }

  close(): void {
    if (this.#descriptor !== undefined) process.getBuiltinModule('node:fs').closeSync(this.#descriptor)
    this.#descriptor = undefined
  }
}
