import type { Refusal } from '../problem.ts'
import type { Gate } from './gate.ts'

/** Why a request was shed. */
export type ShedReason = 'in_flight' | 'event_loop'

export interface OverloadOptions {
  /** Requests that have come and are not answered, this one included. */
  readonly inFlight: () => number
  /** Above so many the rest is shed. */
  readonly inFlightMax: number
  /** What a turn of the event loop may take before the rest of it is shed, in ms; 0: whatever happens, nothing is. */
  readonly lateMs: number
  readonly onShed: (reason: ShedReason) => void
  /** Calls back when everything that is ready in this turn of the event loop has been handled. Default setImmediate. */
  readonly afterTurn?: (callback: () => void) => void
  /** Default performance.now. */
  readonly now?: () => number
}

/**
 * What one turn of the event loop may take for work that is let in, in ms, while it sheds. All that comes during a turn
 * waits for the next one, so this is also about what a refusal waits for. A turn that is shorter was not behind.
 */
const turnMsMax = 10

const overloaded: Refusal = {
  code: 'overloaded',
  detail: 'The service has more to do than it can. Nothing of this request was done.',
  headers: { 'retry-after': '1' },
}

/**
 * Sheds what is too much at once, before its body is read, so that what is let in is still answered in time.
 *
 * Two things tell that it is too much. Work that waits for something else (a store, a client that sends slowly) is
 * counted: requests in flight. Work that keeps the processor busy never shows there, for what waits is in the sockets:
 * each turn of the event loop takes whatever has come during the one before. So the turns are timed. When one has taken
 * `lateMs` and the one before was long as well, the rest of it is shed, and from then on all that is beyond 10 ms of work
 * a turn, until a turn is short again. That is controlled delay as servers use it (Maurer, "Fail at Scale", ACM Queue
 * 13(8), 2015): a burst may make a queue; a queue that stays is kept short, for else everybody waits and nobody is
 * answered in time.
 */
export function overload(options: OverloadOptions): Gate {
  const { inFlight, inFlightMax, lateMs, onShed } = options
  const { afterTurn = setImmediate, now = () => performance.now() } = options
  let inTurn = false
  let turnBegan = 0
  let turnEnded = Number.NEGATIVE_INFINITY
  let wasLong = false
  let shedding = false

  const endTurn = (): void => {
    inTurn = false
    turnEnded = now()
    wasLong = turnEnded - turnBegan > turnMsMax
    if (!wasLong) shedding = false
  }

  return (_, exchange) => {
    const reason =
      inFlight() > inFlightMax ? 'in_flight' : isLate(exchange.startedAt) ? 'event_loop' : undefined
    if (reason === undefined) return undefined
    onShed(reason)
    // Thousands a second and all the same: they are counted, and in the log only at debug.
    exchange.background = true
    return overloaded
  }

  function isLate(startedAt: number): boolean {
    if (lateMs === 0) return false
    if (inTurn) {
      if (!shedding && wasLong && startedAt - turnBegan > lateMs) shedding = true
      return shedding && startedAt - turnBegan > turnMsMax
    }
    inTurn = true
    turnBegan = startedAt
    // After a pause there is no queue, however long the last turn was.
    if (startedAt - turnEnded > turnMsMax) {
      wasLong = false
      shedding = false
    }
    afterTurn(endTurn)
    return false
  }
}
