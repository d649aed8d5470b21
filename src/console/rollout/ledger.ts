import { type Outcome, slowMs } from './classify.ts'

/** A finished request. */
export interface Sample {
  readonly number: number
  readonly outcome: Outcome
  /** The instance that answered. */
  readonly instance: string | undefined
  readonly durationMs: number
  readonly isSlow: boolean
  /** Why no instance answered. */
  readonly reason?: string | undefined
}

/** The requests that ended within one second. */
export interface Second {
  /** Unix time, in s. */
  readonly at: number
  readonly answered: Readonly<Record<string, number>>
  readonly refused: number
  readonly lost: number
}

/** The account of all requests. `sent = answered + refused + lost + inFlight` always holds. */
export interface Ledger {
  readonly sent: number
  readonly answered: number
  readonly refused: number
  readonly lost: number
  readonly inFlight: number
  readonly slow: number
  /** Answers by instance, in order of appearance. */
  readonly byInstance: Readonly<Record<string, number>>
  /** The last requests, oldest first. */
  readonly recent: readonly Sample[]
  /** The last ten minutes, oldest first, without empty seconds. */
  readonly seconds: readonly Second[]
  /** The last lost or refused requests. */
  readonly failures: readonly Sample[]
}

export const historySeconds = 600
export const maxRecent = 400
const maxFailures = 20

export const emptyLedger: Ledger = {
  sent: 0,
  answered: 0,
  refused: 0,
  lost: 0,
  inFlight: 0,
  slow: 0,
  byInstance: {},
  recent: [],
  seconds: [],
  failures: [],
}

/** Counts requests and returns the account as a value. */
export class LedgerBook {
  #ledger = emptyLedger
  #recent: Sample[] = []
  #seconds: Second[] = []

  /** Counts a request as sent. */
  begin(): void {
    this.#ledger = { ...this.#ledger, sent: this.#ledger.sent + 1, inFlight: this.#ledger.inFlight + 1 }
  }

  /**
   * Counts the outcome of a request.
   *
   * @param now Unix time, in ms
   */
  end(ended: Omit<Sample, 'number' | 'isSlow'>, now: number): void {
    const before = this.#ledger
    const { outcome, instance } = ended
    const number = before.answered + before.refused + before.lost + 1
    const isSlow = outcome === 'answered' && ended.durationMs > slowMs
    const sample: Sample = { ...ended, number, isSlow }
    this.#recent.push(sample)
    if (this.#recent.length > 2 * maxRecent) this.#recent = this.#recent.slice(-maxRecent)
    this.#addToSecond(sample, Math.floor(now / 1_000))
    const failures =
      outcome === 'answered' ? before.failures : [...before.failures, sample].slice(-maxFailures)
    const byInstance =
      outcome === 'answered' && instance !== undefined
        ? { ...before.byInstance, [instance]: (before.byInstance[instance] ?? 0) + 1 }
        : before.byInstance
    this.#ledger = {
      ...before,
      [outcome]: before[outcome] + 1,
      inFlight: before.inFlight - 1,
      slow: before.slow + (isSlow ? 1 : 0),
      byInstance,
      failures,
    }
  }

  get inFlight(): number {
    return this.#ledger.inFlight
  }

  /** The present account. */
  read(): Ledger {
    return { ...this.#ledger, recent: this.#recent.slice(-maxRecent), seconds: [...this.#seconds] }
  }

  #addToSecond({ outcome, instance }: Sample, at: number): void {
    const last = this.#seconds.at(-1)
    const second = last?.at === at ? last : { at, answered: {}, refused: 0, lost: 0 }
    if (last !== second) this.#seconds = [...this.#seconds, second].slice(-historySeconds)
    const changed =
      outcome === 'answered'
        ? { ...second, answered: addOne(second.answered, instance ?? 'unknown') }
        : { ...second, [outcome]: second[outcome] + 1 }
    this.#seconds[this.#seconds.length - 1] = changed
  }
}

const addOne = (
  counts: Readonly<Record<string, number>>,
  name: string,
): Readonly<Record<string, number>> => ({
  ...counts,
  [name]: (counts[name] ?? 0) + 1,
})
