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

/**
 * Finds leases that have expired: those of workers that have not renewed them for `leaseMs`. It compares what it
 * sees with what it saw before, and measures the time in between itself. So no clock has to be right, neither the
 * server's nor that of another host, and a clock that jumps changes nothing.
 *
 * Time in which the leases could not be observed counts for little: while the server is unavailable no worker can
 * renew its lease, and all of them may live.
 */
export class LeaseObserver {
  readonly #leaseMs: number
  readonly #now: () => number
  #observedAt: number
  #seen = new Map<string, { readonly beat: number; readonly silentMs: number }>()

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
    const seen = new Map<string, { beat: number; silentMs: number }>()
    const expired = leases.filter(({ lease, beat }) => {
      const before = this.#seen.get(lease)
      const silentMs = before?.beat === beat ? before.silentMs + elapsedMs : 0
      seen.set(lease, { beat, silentMs })
      return silentMs >= this.#leaseMs
    })
    this.#seen = seen
    return expired
  }
}
