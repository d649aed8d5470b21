import type { Database } from 'bun:sqlite'
import { DatabaseUnavailable } from '../errors.ts'
import { sqliteUnavailable, whenUnlocked } from './lock.ts'

/** Writes that may wait for their commit; one more is refused at once. */
export const WRITES_WAITING_MAX = 10_000
/** Writes in one transaction, and the time after which it takes no more: the event loop stands still meanwhile. */
const BATCH_WRITES_MAX = 512
const BATCH_MS_MAX = 10

interface WaitingWrite {
  /** Does the write inside its savepoint and gives the function that answers the caller once it is committed. */
  carryOut(): () => void
  refuse(error: unknown): void
}

/**
 * Writes that wait at the same time share one transaction, and so one fsync: with synchronous=FULL a commit costs some
 * 200 µs to several ms whatever is in it, and bun:sqlite blocks the event loop for that long. Each write has a savepoint of
 * its own: one that fails is taken back alone and fails alone. Nobody is answered before the commit has returned.
 *
 * The first write of a batch waits for `setImmediate`, not for a microtask: so the requests that arrived in the same
 * turn of the event loop get in as well.
 */
export class GroupCommit {
  readonly #db: Database
  #waiting: WaitingWrite[] = []
  #flushing: Promise<void> | undefined

  constructor(db: Database) {
    this.#db = db
  }

  /**
   * Runs `work`, which must be synchronous, in the next transaction.
   *
   * @returns what `work` returned, after the commit
   * @throws whatever `work` threw, its changes taken back; DatabaseUnavailable when it could not be committed
   */
  write<T>(work: () => T): Promise<T> {
    if (this.#waiting.length >= WRITES_WAITING_MAX) {
      return Promise.reject(
        new DatabaseUnavailable('busy', `${WRITES_WAITING_MAX} writes are waiting already`),
      )
    }
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({
        carryOut: () => {
          const result = work()
          return () => resolve(result)
        },
        refuse: reject,
      })
      this.#flushing ??= this.#flush()
    })
  }

  /** Resolves when no write is waiting any more. */
  async idle(): Promise<void> {
    await this.#flushing
  }

  async #flush(): Promise<void> {
    await nextTurn()
    while (this.#waiting.length > 0) {
      try {
        await whenUnlocked(() => this.#db.run('begin immediate'))
        this.#commitBatch()
      } catch (error) {
        for (const write of this.#waiting.splice(0)) write.refuse(error)
      }
      if (this.#waiting.length > 0) await nextTurn()
    }
    this.#flushing = undefined
  }

  /** One transaction, already begun, from first savepoint to commit, without giving the event loop back in between. */
  #commitBatch(): void {
    const began = performance.now()
    const done: { write: WaitingWrite; answer: () => void }[] = []
    try {
      do {
        const write = this.#waiting.shift() as WaitingWrite
        const answer = this.#carryOut(write)
        if (answer) done.push({ write, answer })
      } while (
        this.#waiting.length > 0 &&
        done.length < BATCH_WRITES_MAX &&
        performance.now() - began < BATCH_MS_MAX
      )
      this.#db.run('commit')
    } catch (error) {
      for (const { write } of done) write.refuse(sqliteUnavailable(error) ?? error)
      if (this.#db.inTransaction) this.#db.run('rollback')
      return
    }
    for (const { answer } of done) answer()
  }

  /**
   * @returns how to answer the caller after the commit, or undefined when the write failed and was answered already
   * @throws the error that ended the whole transaction: SQLite rolls it back by itself when the disk is full or broken
   */
  #carryOut(write: WaitingWrite): (() => void) | undefined {
    this.#db.run('savepoint one_write')
    try {
      const answer = write.carryOut()
      this.#db.run('release one_write')
      return answer
    } catch (error) {
      write.refuse(sqliteUnavailable(error) ?? error)
      if (!this.#db.inTransaction) throw error
      this.#db.run('rollback to one_write')
      this.#db.run('release one_write')
      return undefined
    }
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
