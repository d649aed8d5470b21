import type { Refusal } from '../problem.ts'
import type { Gate } from './check.ts'

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
  /** What this thread has worked so far, in ms. Default: the CPU time that the system accounts it. */
  readonly workedMs?: () => number
}

/**
 * What one turn of the event loop may take for work that is let in, in ms, while it sheds. All that comes during a turn
 * waits for the next one, so this is also about what a refusal waits for.
 */
const turnMs = 10
/** It ends when nothing had to be shed for so long, in ms: a flood, too, pauses for a moment. */
const calmMs = 1_000
/**
 * So often, in ms, it is tried whether this much work a turn would do, in ms. Clients that wait for their answers and
 * then ask again at once never get shorter turns by being shed, and may be few enough to serve all of them.
 */
const trialEveryMs = 10_000
const trialTurnMs = 50

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
 * `lateMs`, most of them at work (a neighbour that has the processor for as long is no flood), and the one before was long
 * as well, the rest of it is shed, and from then on all that is beyond 10 ms of work
 * a turn, until nothing had to be shed for a second. That is controlled delay as servers use it (Maurer, "Fail at
 * Scale", ACM Queue 13(8), 2015): a burst may make a queue; a queue that stays is kept short, for else everybody waits
 * and nobody is answered in time.
 */
export function overload(options: OverloadOptions): Gate {
  const { inFlight, inFlightMax, lateMs, onShed } = options
  const { afterTurn = setImmediate, now = () => performance.now(), workedMs = threadCpuMs } = options
  let inTurn = false
  let turnBegan = 0
  let workedBefore = 0
  let turnEnded = Number.NEGATIVE_INFINITY
  let wasLong = false
  let shedding = false
  let lastShedAt = 0
  let trialAt = 0
  let budgetMs = turnMs

  const endTurn = (): void => {
    inTurn = false
    turnEnded = now()
    wasLong = turnEnded - turnBegan > turnMs
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

  function isLate(at: number): boolean {
    if (lateMs === 0) return false
    if (!inTurn) beginTurn(at)
    const elapsed = at - turnBegan
    const isOver = shedding
      ? elapsed > budgetMs
      : wasLong && elapsed > lateMs && workedMs() - workedBefore > elapsed / 2
    if (!isOver) return false
    if (!shedding || budgetMs === trialTurnMs) trialAt = at + trialEveryMs
    shedding = true
    budgetMs = turnMs
    lastShedAt = at
    return true
  }

  function beginTurn(at: number): void {
    inTurn = true
    turnBegan = at
    // After a pause there is no queue, however long the last turn was.
    if (at - turnEnded > turnMs) wasLong = false
    if (wasLong) workedBefore = workedMs()
    if (at - lastShedAt > calmMs) shedding = false
    if (at >= trialAt) budgetMs = trialTurnMs
    afterTurn(endTurn)
  }
}

function threadCpuMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1_000
}
