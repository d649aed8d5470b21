/** Limits the bytes held by all large bodies, of requests or of responses, together. */
export class ByteBudget {
  #available: number
  constructor(readonly maxBytes: number) {
    this.#available = maxBytes
  }

  /** @returns whether the bytes were available; if not, none are taken */
  take(bytes: number): boolean {
    if (bytes > this.#available) return false
    this.#available -= bytes
    return true
  }

  /** Takes bytes even beyond the limit, which leaves fewer for others. @returns the bytes */
  takeAnyway(bytes: number): number {
    this.#available -= bytes
    return bytes
  }

  release(bytes: number): void {
    this.#available += bytes
  }
}

/** There is no room for a large response. */
export class ResponsesBusy extends Error {
  override readonly name = 'ResponsesBusy'
  readonly code = 'responses-busy'
  constructor() {
    super('no room for a large response in MAX_HELD_RESPONSE_BYTES')
  }
}
