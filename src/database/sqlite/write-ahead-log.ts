import type { Database, Statement } from 'bun:sqlite'
import { programUrl } from '../../threads/program-url.ts'
import { ThreadPool } from '../../threads/thread-pool.ts'
import { DatabaseUnavailable } from '../errors.ts'
import type { CommitLog } from './group-commit.ts'
import { retryWhileBusy } from './lock.ts'
import type { OpenFiles } from './open-files.ts'

/** Pages in the log that are not in the database, from which on a checkpoint is worth its time: SQLite's own default. */
const checkpointPages = 1_000
/** A longer sync delays other requests, in ms. The next `slowSyncs` ones are left to a thread. */
const maxFastSyncMs = 0.2
const slowSyncs = 1_000
/** How long the thread is kept without a checkpoint, in ms. */
const idleMs = 10_000
const rewriteChunkBytes = 2 ** 20

export interface WriteAheadLogOptions {
  /** Brings the log to the disk. Only tests pass their own. Default: fdatasync. */
  readonly syncFile?: () => Promise<void> | undefined
  /** Copies the log to the database. Only tests pass their own. Default: a thread does. */
  readonly copyToDatabase?: () => Promise<void>
  /** Called when a checkpoint failed. Nothing is lost, and a longer log brings the next attempt. It must not throw. */
  readonly onCheckpointError?: ((error: unknown) => void) | undefined
}

/**
 * The write-ahead log of an SQLite file. A commit appends to it. Its two slow steps wait for the disk, and SQLite would do
 * both in the call that commits, on the event loop. Here other threads do them: the sync, and the checkpoint, which copies
 * the log to the database.
 */
export class WriteAheadLog implements CommitLog {
  readonly #db: Database
  readonly #files: OpenFiles
  readonly #measure: Statement<{ log: number; checkpointed: number }, []>
  readonly #threads: ThreadPool<string>
  readonly #copyToDatabase: () => Promise<void>
  readonly #onCheckpointError: (error: unknown) => void
  readonly #file: LogFile
  readonly #syncFile: () => Promise<void> | undefined
  #checkpointAt = checkpointPages
  #failure: DatabaseUnavailable | undefined

  /** @param db a connection whose commits sync nothing themselves (synchronous=NORMAL) */
  constructor(db: Database, files: OpenFiles, options: WriteAheadLogOptions = {}) {
    this.#db = db
    this.#files = files
    // An SQLite before 3.51 copies the log here instead of measuring it.
    this.#measure = db.query('pragma wal_checkpoint(noop)')
    this.#file = new LogFile(files)
    this.#syncFile = options.syncFile ?? (() => this.#file.sync())
    this.#copyToDatabase = options.copyToDatabase ?? (() => this.#threads.run(files.path))
    this.#onCheckpointError = options.onCheckpointError ?? (() => {})
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
   * @throws DatabaseUnavailable when the disk failed, or the database or its log was deleted or replaced
   */
  async sync(): Promise<void> {
    try {
      await this.#syncFile()
    } catch (cause) {
      throw this.#failed(cause)
    }
    this.#files.assertStored()
  }

  /**
   * Writes the log again after a failed sync, and copies a long log to the database. Call it between two transactions and
   * wait: then the checkpoint can copy the whole log, and the next transaction writes to its beginning. Reads continue
   * meanwhile.
   *
   * @returns undefined when there is nothing to wait for
   * @throws DatabaseUnavailable when the disk still fails, or the database or its log was deleted or replaced
   */
  prepare(): Promise<void> | undefined {
    if (this.#failure !== undefined) return this.#repair()
    return this.#uncopiedPages() < this.#checkpointAt ? undefined : this.#checkpoint()
  }

  /** @throws DatabaseUnavailable when the locks of this process keep no other one out: see `OpenFiles` */
  assertLocks(): void {
    this.#files.assertLocks()
  }

  /** Whether the disk failed, and the log has not been written again. */
  get hasFailed(): boolean {
    return this.#failure !== undefined
  }

  /** Call it before the database is closed. */
  close(): void {
    this.#files.prepareClose()
    this.#threads.close()
    this.#file.close()
  }

  async #checkpoint(): Promise<void> {
    // The thread opens the files by their path, and would copy another log over the database. It has the locks and the
    // index of this process, so it would also copy commits of this process over newer ones of others.
    this.#files.assertStored()
    this.assertLocks()
    const failure = await this.#copyToDatabase().then(
      () => undefined,
      (error: unknown) => ({ error }),
    )
    this.#checkpointAt = this.#uncopiedPages() + checkpointPages
    if (failure !== undefined) this.#onCheckpointError(failure.error)
  }

  /**
   * Writes the log again, byte by byte the same, and syncs it. The system reports a failed sync once and forgets what it
   * could not write, so later syncs succeed although the log has a gap on the disk. After a power cut, SQLite would ignore
   * everything behind the gap.
   */
  async #repair(): Promise<void> {
    // The lock keeps other processes from appending to the log and from starting it over.
    await retryWhileBusy(() => {
      this.assertLocks()
      this.#db.run('begin immediate')
    })
    try {
      await this.#file.rewrite()
      await this.#syncFile()
      this.#files.assertStored()
      this.#failure = undefined
    } catch (cause) {
      throw this.#failed(cause)
    } finally {
      this.#db.run('rollback')
    }
  }

  /** @throws DatabaseUnavailable instead when the database or its log was deleted or replaced: a better explanation */
  #failed(cause: unknown): DatabaseUnavailable {
    const message = `the log of ${this.#files.path} did not reach the disk: ${(cause as Error).message}`
    this.#failure = new DatabaseUnavailable('full', message, { cause })
    this.#files.assertStored()
    return this.#failure
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
  readonly #files: OpenFiles
  readonly #path: string
  #descriptor: number | undefined
  /** This many syncs are left to a thread, before another one is tried here. */
  #slowCount = 0

  constructor(files: OpenFiles) {
    this.#files = files
    this.#path = `${files.path}-wal`
  }

  /** @returns undefined when the disk was so fast that a thread would have cost more */
  sync(): Promise<void> | undefined {
    // Loaded at the first write, because it would lengthen every start.
    const { fdatasync, fdatasyncSync } = process.getBuiltinModule('node:fs')
    this.#descriptor ??= this.#open()
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

  /** Replaces every byte by itself. */
  async rewrite(): Promise<void> {
    this.#files.assertStored()
    await using file = await process.getBuiltinModule('node:fs').promises.open(this.#path, 'r+')
    const chunk = new Uint8Array(rewriteChunkBytes)
    for (let position = 0; ; ) {
      const { bytesRead } = await file.read(chunk, 0, chunk.length, position)
      if (bytesRead === 0) return
      const { bytesWritten } = await file.write(chunk, 0, bytesRead, position)
      position += bytesWritten
    }
  }

  close(): void {
    if (this.#descriptor !== undefined) process.getBuiltinModule('node:fs').closeSync(this.#descriptor)
    this.#descriptor = undefined
  }

  #open(): number {
    // Another file at this path would be synced instead of the log, also after the log is back.
    this.#files.assertStored()
    return process.getBuiltinModule('node:fs').openSync(this.#path, 'r')
  }
}
