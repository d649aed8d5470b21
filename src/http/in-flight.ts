import type { Exchange } from './exchange.ts'

/**
 * The requests that have come and are not answered yet. One timer serves the deadline of all of them:
 * all have the same time, so the oldest, which stands first in the set, is always the next to expire.
 */
export interface InFlight {
  add(exchange: Exchange): void
  remove(exchange: Exchange): void
  readonly size: number
  /** Each as `METHOD route request-id`. */
  describe(): string[]
  /** Ends the timer. */
  close(): void
}

/** How often the deadlines are looked at, in ms: a request may have up to so much more than its time. */
const lookEveryMs = 250

/** @param timeoutMs what a handler may take before `exchange.expire` is called. */
export function createInFlight(timeoutMs: number): InFlight {
  const exchanges = new Set<Exchange>()
  const look = (): void => {
    const latest = performance.now() - timeoutMs
    for (const exchange of exchanges) {
      if (exchange.startedAt > latest) return
      exchange.expire?.()
    }
  }
  const timer = setInterval(look, Math.min(lookEveryMs, timeoutMs))
  timer.unref()
  return {
    add: (exchange) => void exchanges.add(exchange),
    remove: (exchange) => void exchanges.delete(exchange),
    get size() {
      return exchanges.size
    },
    describe: () => [...exchanges].map(({ method, route, requestId }) => `${method} ${route} ${requestId}`),
    close: () => clearInterval(timer),
  }
}
