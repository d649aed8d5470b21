import type { Database, Statement } from 'bun:sqlite'
import { DatabaseUnavailable } from '../errors.ts'
import { retryWhileBusy, sqliteUnavailable } from './lock.ts'

/** Writes that may wait for their commit. One more is refused at once. */
export const maxWaitingWrites = 10_000
/** The most writes in one transaction, and the time after which it is closed, because it blocks the event loop. */
const maxBatchWrites = 512
const maxBatchMs = 10

/** The log that commits append to. */
export interface CommitLog {
  /** Called before each transaction, which waits for it. When it throws, there is no transaction. */
  prepare(): Promise<void> | undefined
  /** Called directly before each transaction. When it throws, there is none. */
  assertLocks(): void
  /** Resolves when everything that was committed before the call is on the disk. */
  sync(): Promise<void>
}

interface WaitingWrite {
  /** Runs the write inside its savepoint and returns the function that resolves it once it is on the disk. */
  execute(): () => void
  reject(error: unknown): void
}

interface CommittedWrite {
  readonly write: WaitingWrite
  readonly resolve: () => void
}

/**
 * Writes that wait at the same time share one transaction, and so one fsync, which is most of the cost of every commit.
 * Each write has its own savepoint, so a write that fails is rolled back alone. No write resolves before its commit is
 * on the disk; until then the event loop is free.
 *
 * The first write of a batch waits for `setImmediate`, not for a microtask, so that all requests which arrived in the
 * same turn of the event loop join the batch.
 */
export class GroupCommit {
  readonly #db: Database
  readonly #log: CommitLog
  /** Prepared once: compiling them takes longer than running them. */
  readonly #statements: Record<'savepoint' | 'release' | 'rollback', Statement>
  #waiting: WaitingWrite[] = []
  #flushing: Promise<void> | undefined

  constructor(db: Database, log: CommitLog) {
    this.#db = db
    this.#log = log
    this.#statements = {
      savepoint: db.query('savepoint one_write'),
      release: db.query('release one_write'),
      rollback: db.query('rollback to one_write'),
    }
  }

  /**
   * Runs `work`, which must be synchronous, in the next transaction.
   *
   * @returns what `work` returned, when the commit is on the disk
   * @throws what `work` threw, its changes rolled back; DatabaseUnavailable when it could not be committed, or perhaps did
   *   not reach the disk
   */
  write<T>(work: () => T): Promise<T> {
    if (this.#waiting.length >= maxWaitingWrites) {
      return Promise.reject(
        new DatabaseUnavailable('busy', `${maxWaitingWrites} writes are already waiting for the database`),
      )
    }
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({
        execute: () => {
          const result = work()
          return () => resolve(result)
        },
        reject,
      })
      this.#flushing ??= this.#flush()
    })
  }

  /** Resolves when no write is waiting. */
  async idle(): Promise<void> {
    await this.#flushing
  }

  async #flush(): Promise<void> {
    await nextTurn()
    while (this.#waiting.length > 0) {
      try {
        await this.#log.prepare()
        await retryWhileBusy(() => {
          this.#log.assertLocks()
          this.#db.run('begin immediate')
        })
        await this.#confirm(this.#commitBatch())
      } catch (error) {
        for (const write of this.#waiting.splice(0)) write.reject(error)
      }
      if (this.#waiting.length > 0) await nextTurn()
    }
    this.#flushing = undefined
  }

  /**
   * Runs the open transaction from the first savepoint to the commit, without yielding to the event loop.
   *
   * @returns the committed writes
   */
  #commitBatch(): CommittedWrite[] {
    const startedAt = performance.now()
    const executed: CommittedWrite[] = []
    try {
      do {
        const write = this.#waiting.shift() as WaitingWrite
        const resolve = this.#execute(write)
        if (resolve) executed.push({ write, resolve })
      } while (
        this.#waiting.length > 0 &&
        executed.length < maxBatchWrites &&
        performance.now() - startedAt < maxBatchMs
      )
      this.#db.run('commit')
      return executed
    } catch (error) {
      for (const { write } of executed) write.reject(sqliteUnavailable(error) ?? error)
      if (this.#db.inTransaction) this.#db.run('rollback')
      return []
    }
  }

  /** Resolves the writes once their commit is on the disk. Writes that arrive during the fsync share the next commit. */
  async #confirm(writes: readonly CommittedWrite[]): Promise<void> {
    if (writes.length === 0) return
    try {
      await this.#log.sync()
    } catch (error) {
      for (const { write } of writes) write.reject(error)
      return
    }
    for (const { resolve } of writes) resolve()
  }

  /**
   * Runs one write in its savepoint.
   *
   * @returns how to resolve the write once it is on the disk; undefined when it failed and was rejected
   * @throws the error that ended the whole transaction: SQLite rolls back by itself when the disk is full or broken
   */
  #execute(write: WaitingWrite): (() => void) | undefined {
    const { savepoint, release, rollback } = this.#statements
    savepoint.run()
    try {
      const resolve = write.execute()
      release.run()
      return resolve
    } catch (error) {
      write.reject(sqliteUnavailable(error) ?? error)
      if (!this.#db.inTransaction) throw error
      rollback.run()
      release.run()
      return undefined
    }
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
