import { client } from '../api/client.ts'
import { classify, type Observation } from './classify.ts'
import { emptyLedger, type Ledger, LedgerBook } from './ledger.ts'

/** The input of each request, and its only correct result. */
const payload = { numbers: [1, 2, 3, 4, 5], text: 'Not one request is lost.' }
const correctMean = 3

/** A browser opens six connections per host. One stays free for the page's other requests. */
const maxInFlight = 5
/** Timeout of a request, in ms. */
const timeoutMs = 30_000
/** How often the page receives the account, in ms. */
const publishIntervalMs = 200

/** A stream of requests at a steady rate, with its account. */
export class Traffic {
  #book = new LedgerBook()
  #ledger = emptyLedger
  #timer: ReturnType<typeof setTimeout> | undefined
  #publishTimer: ReturnType<typeof setTimeout> | undefined
  #nextAt = 0
  #rate = 20
  readonly #listeners = new Set<() => void>()

  get ledger(): Ledger {
    return this.#ledger
  }

  get isRunning(): boolean {
    return this.#timer !== undefined
  }

  /** Starts sending, or changes the rate. */
  start(ratePerSecond: number): void {
    this.#rate = ratePerSecond
    clearTimeout(this.#timer)
    this.#nextAt = performance.now()
    this.#tick()
    this.#publishSoon()
  }

  /** Stops sending. Requests in flight still count. */
  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#publishSoon()
  }

  /** Starts a new account. */
  reset(): void {
    this.#book = new LedgerBook()
    this.#publishSoon()
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Sends the requests that are due. Skips those that would only wait for a connection, so that no burst follows. */
  #tick(): void {
    const now = performance.now()
    const intervalMs = 1_000 / this.#rate
    if (now - this.#nextAt > 1_000) this.#nextAt = now
    while (this.#nextAt <= now) {
      this.#nextAt += intervalMs
      if (this.#book.inFlight < maxInFlight) void this.#send(this.#book)
    }
    this.#timer = setTimeout(() => this.#tick(), Math.max(0, this.#nextAt - performance.now()))
  }

  async #send(book: LedgerBook): Promise<void> {
    const startedAt = performance.now()
    book.begin()
    const { observation, reason } = await observe()
    const outcome = classify(observation)
    const durationMs = performance.now() - startedAt
    const { instance } = observation
    book.end(
      { outcome, instance, durationMs, reason: outcome === 'answered' ? undefined : reason },
      Date.now(),
    )
    this.#publishSoon()
  }

  #publishSoon(): void {
    this.#publishTimer ??= setTimeout(() => {
      this.#publishTimer = undefined
      this.#ledger = this.#book.read()
      for (const listener of this.#listeners) listener()
    }, publishIntervalMs)
  }
}

/** Sends one request and reads the whole response. */
async function observe(): Promise<{ observation: Observation; reason: string }> {
  try {
    const signal = AbortSignal.timeout(timeoutMs)
    const response = await client.payload.$post(
      { json: payload, query: { format: 'compact' } },
      { init: { signal } },
    )
    const { status, headers } = response
    const body = (await response.json().catch(() => ({}))) as { code?: string; numeric?: { mean: number } }
    const instance = headers.get('x-served-by') ?? undefined
    const isCorrect = body.numeric?.mean === correctMean
    return {
      observation: { status, instance, isCorrect, code: body.code },
      reason: body.code ?? `status ${status}${instance === undefined ? ' from no instance' : ''}`,
    }
  } catch (error) {
    const observation = { status: 0, instance: undefined, isCorrect: false }
    return { observation, reason: error instanceof Error ? error.message : String(error) }
  }
}
