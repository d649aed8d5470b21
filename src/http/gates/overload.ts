import type { Refusal } from '../problem.ts'
import type { Gate } from './gate.ts'

/** Why a request was shed. */
export type ShedReason = 'in_flight' | 'event_loop'

export interface OverloadOptions {
  /** Requests that have come and are not answered, this one included. */
  readonly inFlight: () => number
  /** Above so many the rest is shed. */
  readonly inFlightMax: number
  /** How long the event loop may be behind before it sheds, in ms; 0: whatever happens, it does not. */
  readonly lateMs: number
  readonly onShed: (reason: ShedReason) => void
  /** Calls back when everything that is ready in this turn of the event loop has been handled. Default setImmediate. */
  readonly afterTurn?: (callback: () => void) => void
  /** Default performance.now. */
  readonly now?: () => number
}

/**
 * What one turn of the event loop may take for work that was let in, in ms, while it is behind. All that has come
 * during a turn waits for the next one, so this is also what a refusal waits for.
 */
const turnMsMax = 20

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
 * each turn of the event loop takes whatever has come during the one before. So the turns are timed. When none was
 * short for `lateMs`, each turn lets in work for 20 ms and sheds the rest. Both times are those of CoDel as servers use
 * it (Maurer, "Fail at Scale", ACM Queue 13(8), 2015): a burst may make a queue, a queue that stays must not be fed.
 */
export function overload(options: OverloadOptions): Gate {
  const { inFlight, inFlightMax, lateMs, onShed } = options
  const { afterTurn = setImmediate, now = () => performance.now() } = options
  let inTurn = false
  let turnBegan = 0
  let turnEnded = Number.NEGATIVE_INFINITY
  /** When the first of the turns began that were all long, one upon the other. */
  let busySince = 0
  let lastWasShort = true

  const endTurn = (): void => {
    inTurn = false
    turnEnded = now()
    lastWasShort = turnEnded - turnBegan <= turnMsMax
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
    if (inTurn) return startedAt - turnBegan > turnMsMax && startedAt - busySince > lateMs
    inTurn = true
    turnBegan = startedAt
    // After a pause there is no queue, however long the last turn was.
    if (lastWasShort || startedAt - turnEnded > turnMsMax) busySince = startedAt
    afterTurn(endTurn)
    return false
  }
}
