/** Why a request was answered before its handler did. */
export type AbortReason = 'timeout' | 'body-timeout' | 'body-shed'

/** A request while its body arrives. */
export interface ArrivingRequest {
  /** `performance.now()` on arrival. */
  readonly startedAt: number
  readonly isReceiving: boolean
  /** Bytes of the body so far; undefined where the body is read as a whole and not counted. */
  readonly receivedBytes: number | undefined
  /** The size of the body by its header, in bytes; 0 when unknown. */
  readonly announcedBytes: number
  /** Answers the request and discards the rest of its body. */
  abort(reason: AbortReason): void
}

/** Slower bodies are aborted, in bytes per second. The runtime itself aborts no body that is faster than about this. */
const minBytesPerSecond = 16 * 1024
/** Extra time for each body, in ms: a handshake, a pause, a bad network. */
const patienceMs = 10_000
/** The same while bodies compete for memory or places. */
const crowdedPatienceMs = 1_000
/** Younger bodies are exempt, in ms: most arrive with the head of their request. */
const minAgeMs = 100

/**
 * The bodies that have not arrived completely. A client may send one as slowly as it likes, so it does not count as a
 * request in flight. Instead each body has a time limit that depends on its size, and their number is bounded. Beyond
 * the bound the slow bodies are aborted first, then the newest.
 */
export class BodyArrivals {
  /** Bodies that have not arrived. */
  count = 0
  readonly #requests: Iterable<ArrivingRequest>
  readonly #maxCount: number

  /**
   * @param requests all in flight, oldest first
   * @param maxCount bodies above this number are ended when `enforce` is called
   */
  constructor(requests: Iterable<ArrivingRequest>, maxCount: number) {
    this.#requests = requests
    this.#maxCount = maxCount
  }

  /** Aborts the bodies over their time limit, and those beyond the bound. */
  enforce(now = performance.now()): void {
    for (const request of this.#arriving()) {
      // Without a count, all of the body may be on its way.
      const { receivedBytes = request.announcedBytes } = request
      if (isSlow(request, now, patienceMs, receivedBytes)) request.abort('body-timeout')
    }
    if (this.count > this.#maxCount) this.endSlow(now)
    if (this.count > this.#maxCount)
      for (const request of this.#arriving().toReversed()) {
        if (this.count <= this.#maxCount) return
        if (now - request.startedAt >= minAgeMs) request.abort('body-shed')
      }
  }

  /** Aborts all slow bodies, to make room for others. */
  endSlow(now = performance.now()): void {
    for (const request of this.#arriving())
      if (isSlow(request, now, crowdedPatienceMs, request.receivedBytes ?? 0)) request.abort('body-shed')
  }

  #arriving(): ArrivingRequest[] {
    return this.count === 0 ? [] : [...this.#requests].filter(({ isReceiving }) => isReceiving)
  }
}

/** @param bytes how much of the body counts as received */
function isSlow({ startedAt }: ArrivingRequest, now: number, patience: number, bytes: number): boolean {
  return now - startedAt > patience + (bytes / minBytesPerSecond) * 1_000
}
