import { heartbeatsPerLease } from './queue-options.ts'

/** A lease as it is stored. */
export interface ObservedLease {
  readonly lease: string
  /** Grows with each renewal. */
  readonly beat: number
}

/** The time between two observations, as a part of the time that a lease holds. */
const observationsPerLease = 4

/** How often to call `observe`, in ms. */
export function observationIntervalMs(leaseMs: number): number {
  return leaseMs / observationsPerLease
}

/** How long a lease has not been renewed. */
interface Silence {
  readonly beat: number
  readonly silentMs: number
  /** The writes of this process before it. */
  readonly sinceWrite: number
}

/**
 * Finds leases that have expired: those of workers that have not renewed them for `leaseMs`. It compares what it
 * sees with what it saw before, and measures the time in between itself. So no clock has to be right, neither the
 * server's nor that of another host, and a clock that jumps changes nothing.
 *
 * While no worker can renew its lease, all of them may live. So time in which the leases could not be observed counts for
 * little, and no lease expires before this process has written to the queue several times in a row: a server may be read
 * while it refuses writes, because it is a standby, is full, or is locked.
 */
export class LeaseObserver {
  readonly #leaseMs: number
  readonly #now: () => number
  #observedAt: number
  #seen = new Map<string, Silence>()
  #writes = 0

  /** @param now monotonic, in ms */
  constructor(leaseMs: number, now: () => number = () => performance.now()) {
    this.#leaseMs = leaseMs
    this.#now = now
    this.#observedAt = now()
  }

  /**
   * @param leases all leases that are held now
   * @returns those that have expired
   */
  observe<L extends ObservedLease>(leases: readonly L[]): L[] {
    const now = this.#now()
    const elapsedMs = Math.min(now - this.#observedAt, 2 * observationIntervalMs(this.#leaseMs))
    this.#observedAt = now
    const seen = new Map<string, Silence>()
    const expired = leases.filter(({ lease, beat }) => {
      const before = this.#seen.get(lease)
      const silence =
        before?.beat === beat
          ? { ...before, silentMs: before.silentMs + elapsedMs }
          : { beat, silentMs: 0, sinceWrite: this.#writes }
      seen.set(lease, silence)
      // While this process writes that often, every living worker renews its lease.
      const hasWritten = this.#writes - silence.sinceWrite >= heartbeatsPerLease
      return silence.silentMs >= this.#leaseMs && hasWritten
    })
    this.#seen = seen
    return expired
  }

  /** Counts a heartbeat, which this process writes to the queue. After a failure, every silence begins again. */
  recordWrite(hasSucceeded: boolean): void {
    if (hasSucceeded) this.#writes++
    else this.#seen.clear()
  }
}
