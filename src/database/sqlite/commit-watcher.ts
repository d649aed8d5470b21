import type { SqliteFile } from './file.ts'

/** The time between two polls, in ms: while other processes commit, and after they have been silent for `activeMs`. */
const activePollIntervalMs = 2
const idlePollIntervalMs = 15
const activeMs = 2_000

/**
 * Detects commits of other processes to an SQLite file. Polls only while it has subscribers.
 *
 * It polls a number that SQLite keeps in memory, which costs little and works on every file system. Events of the file
 * system would come for each page that this process writes itself.
 */
export class CommitWatcher {
  readonly #file: SqliteFile
  readonly #onCommit: () => void
  readonly #reasons = new Set<symbol>()
  #timer: ReturnType<typeof setTimeout> | undefined
  #seen: number | undefined
  #activeUntil = 0

  /** @param onCommit called after one or several commits of other processes */
  constructor(file: SqliteFile, onCommit: () => void) {
    this.#file = file
    this.#onCommit = onCommit
  }

  /** Watches until the returned function is called. With several calls, the last one to end stops the polling. */
  watch(): () => void {
    const reason = Symbol('reason to watch')
    this.#reasons.add(reason)
    this.#activeUntil = performance.now() + activeMs
    if (this.#timer === undefined) {
      this.#seen = this.#file.dataVersion()
      this.#schedule()
    }
    return () => {
      this.#reasons.delete(reason)
      if (this.#reasons.size > 0) return
      clearTimeout(this.#timer)
      this.#timer = undefined
    }
  }

  #schedule(): void {
    const isActive = performance.now() < this.#activeUntil
    this.#timer = setTimeout(() => this.#poll(), isActive ? activePollIntervalMs : idlePollIntervalMs)
  }

  #poll(): void {
    this.#schedule()
    const version = this.#file.dataVersion()
    if (version === undefined || version === this.#seen) return
    this.#seen = version
    this.#activeUntil = performance.now() + activeMs
    this.#onCommit()
  }
}
