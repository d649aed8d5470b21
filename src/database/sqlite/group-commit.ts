import type { Database, Statement } from 'bun:sqlite'
import { DatabaseUnavailable } from '../errors.ts'
import { retryWhileBusy, sqliteUnavailable } from './lock.ts'

/** Writes that may wait for their commit. One more is refused at once. */
export const maxWaitingWrites = 10_000
/** The most writes in one transaction, and the time after which it is closed, because it blocks the event loop. */
const maxBatchWrites = 512
const maxBatchMs = 10

interface WaitingWrite {
  /** Runs the write inside its savepoint and returns the function that resolves it after the commit. */
  execute(): () => void
  reject(error: unknown): void
}

/**
 * Writes that wait at the same time share one transaction, and so one fsync: with synchronous=FULL the fsync is most of
 * the cost of every commit, and bun:sqlite blocks the event loop meanwhile. Each write has a savepoint of
 * its own, so a write that fails is rolled back alone. No write resolves before the commit has returned.
 *
 * The first write of a batch waits for `setImmediate`, not for a microtask, so that all requests which arrived in the
 * same turn of the event loop join the batch.
 */
export class GroupCommit {
  readonly #db: Database
  readonly #assertStored: () => void
  /** Prepared once: compiling them takes longer than running them. */
  readonly #statements: Record<'savepoint' | 'release' | 'rollback', Statement>
  #waiting: WaitingWrite[] = []
  #flushing: Promise<void> | undefined

  /** @param assertStored called after each commit; throws when its writes will not last, although SQLite reports success */
  constructor(db: Database, assertStored: () => void) {
    this.#db = db
    this.#assertStored = assertStored
    this.#statements = {
      savepoint: db.query('savepoint one_write'),
      release: db.query('release one_write'),
      rollback: db.query('rollback to one_write'),
    }
  }

  /**
   * Runs `work`, which must be synchronous, in the next transaction.
   *
   * @returns what `work` returned, after the commit
   * @throws what `work` threw, its changes rolled back; DatabaseUnavailable when it could not be committed
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
        await retryWhileBusy(() => this.#db.run('begin immediate'))
        this.#commitBatch()
      } catch (error) {
        for (const write of this.#waiting.splice(0)) write.reject(error)
      }
      if (this.#waiting.length > 0) await nextTurn()
    }
    this.#flushing = undefined
  }

  /** Runs the open transaction from the first savepoint to the commit, without yielding to the event loop. */
  #commitBatch(): void {
    const startedAt = performance.now()
    const executed: { write: WaitingWrite; resolve: () => void }[] = []
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
      this.#assertStored()
    } catch (error) {
      for (const { write } of executed) write.reject(sqliteUnavailable(error) ?? error)
      if (this.#db.inTransaction) this.#db.run('rollback')
      return
    }
    for (const { resolve } of executed) resolve()
  }

  /**
   * Runs one write in its savepoint.
   *
   * @returns how to resolve the write after the commit; undefined when it failed and was rejected
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
