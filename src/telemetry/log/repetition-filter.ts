/** How often one cause passes, in ms. */
const intervalMs = 60_000
/** Causes that are remembered: their texts may differ every time. */
const maxCauses = 100

/**
 * Lets each cause pass once a minute, so that a failure that repeats, such as a database that is away, is in the log
 * without filling it.
 */
export class RepetitionFilter {
  readonly #now: () => number
  readonly #passed = new Map<string, { readonly at: number; repeated: number }>()

  /** @param now milliseconds of a monotonic clock; default performance.now */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /**
   * @returns undefined when the cause passed less than a minute ago; otherwise how often it was held back since then,
   *   undefined for never
   */
  pass(cause: string): { readonly repeated: number | undefined } | undefined {
    const last = this.#passed.get(cause)
    if (last !== undefined && this.#now() - last.at < intervalMs) {
      last.repeated++
      return undefined
    }
    this.#passed.delete(cause)
    this.#passed.set(cause, { at: this.#now(), repeated: 0 })
    const [oldest] = this.#passed.keys()
    if (this.#passed.size > maxCauses && oldest !== undefined) this.#passed.delete(oldest)
    return { repeated: last?.repeated || undefined }
  }
}
