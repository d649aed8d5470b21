import type { SqliteFile } from './file.ts'

/** The time between two polls, in ms. A poll reads one number from memory that the processes share. */
const pollIntervalMs = 5

/** Notices that other processes have committed to an SQLite file. Watches only while there is a reason to. */
export class CommitWatcher {
  readonly #file: SqliteFile
  readonly #onCommit: () => void
  readonly #reasons = new Set<symbol>()
  #timer: ReturnType<typeof setInterval> | undefined
  #seen: number | undefined

  /** @param onCommit called after one or several commits of other processes */
  constructor(file: SqliteFile, onCommit: () => void) {
    this.#file = file
    this.#onCommit = onCommit
  }

  /** Watches until the returned function is called. Of several such reasons, the last one counts. */
  watch(): () => void {
    const reason = Symbol('reason to watch')
    this.#reasons.add(reason)
    if (this.#timer === undefined) {
      this.#seen = this.#file.dataVersion()
      this.#timer = setInterval(() => this.#poll(), pollIntervalMs)
    }
    return () => {
      this.#reasons.delete(reason)
      if (this.#reasons.size > 0) return
      clearInterval(this.#timer)
      this.#timer = undefined
    }
  }

  #poll(): void {
    const version = this.#file.dataVersion()
    if (version === undefined || version === this.#seen) return
    this.#seen = version
    this.#onCommit()
  }
}
