import type { Problem } from '../problem.ts'
import type { Check } from './check.ts'

/** Why a request was shed. */
export type ShedReason = 'in_flight' | 'event_loop'

export interface LoadSheddingOptions {
  /** Requests accepted and not answered, including the one being checked, without those whose body is still arriving. */
  readonly inFlight: () => number
  /** Requests whose body is still arriving. Default: none. */
  readonly arriving?: () => number
  /** Requests above this number are shed, and those above `maxArrivingFactor` times as many arriving bodies. */
  readonly maxInFlight: number
  /** How long one turn of the event loop may take before the rest of it is shed, in ms; 0 disables this. */
  readonly maxLagMs: number
  readonly onShed: (reason: ShedReason) => void
  /** Calls back after everything that is ready in this turn of the event loop. Default setImmediate. */
  readonly afterTurn?: (callback: () => void) => void
  /** Default performance.now. */
  readonly now?: () => number
  /** CPU time of this thread so far, in ms. Default: as the system accounts it. */
  readonly cpuMs?: () => number
}

/**
 * How much work one turn of the event loop accepts while shedding, in ms. Everything that arrives during a turn waits for
 * the next one, so this is also how long a refusal waits.
 */
const turnBudgetMs = 10
/** Shedding ends when nothing was shed for this long, in ms: even a flood pauses for a moment. */
const calmMs = 1_000
/**
 * How often a larger budget is tried, and how large, in ms. Clients that wait for their responses and then ask again at
 * once never get shorter turns by being shed, and may be few enough to serve all of them.
 */
const trialIntervalMs = 10_000
const trialBudgetMs = 50

/** How often a shed request is logged at error, for each reason, in ms. */
const logIntervalMs = 60_000

/**
 * How many times `maxInFlight` may be exceeded until `BodyArrivals` enforces it, which happens several times a second.
 * The excess is short, because most bodies arrive with their head.
 */
const maxArrivingFactor = 4

const overloaded = {
  code: 'overloaded',
  detail: 'The service is overloaded and did not process this request.',
  headers: { 'retry-after': '1' },
} as const satisfies Problem

type State =
  | { readonly name: 'normal' }
  | { readonly name: 'shedding'; budgetMs: number; lastShedAt: number; nextTrialAt: number }

const normal: State = { name: 'normal' }

/**
 * Sheds load before a body is read, so that accepted requests are still answered in time.
 *
 * Two signals show overload. Work that waits (for a store, for a slow client) is counted as requests in flight. Work that
 * keeps the processor busy never shows there, because its queue is in the sockets: each turn of the event loop takes all
 * requests that arrived during the one before. So turns are timed. When one has taken `maxLagMs`, mostly on the CPU (a neighbor that
 * holds the processor for as long is not a flood), and the one before was long as well, the rest of it is shed, and from then
 * on everything beyond a small budget per turn, until nothing was shed for a second. This is controlled delay as servers
 * use it (Maurer, "Fail at Scale", ACM Queue 13(8), 2015): a burst may queue; a standing queue is kept short.
 */
export function loadShedding(options: LoadSheddingOptions): Check {
  const { inFlight, arriving = () => 0, maxInFlight, maxLagMs, onShed } = options
  const maxArriving = maxArrivingFactor * maxInFlight
  const problems: Readonly<Record<ShedReason, Problem>> = {
    in_flight: { ...overloaded, cause: `more than ${maxInFlight} requests in flight` },
    event_loop: { ...overloaded, cause: `event loop busy for more than ${maxLagMs} ms` },
  }
  const loggedAt: Record<ShedReason, number> = {
    in_flight: Number.NEGATIVE_INFINITY,
    event_loop: Number.NEGATIVE_INFINITY,
  }
  const isLagging = createLagDetector(options)

  return function checkLoad(_request, context) {
    const isFull = inFlight() > maxInFlight || arriving() > maxArriving
    const reason = isFull ? 'in_flight' : isLagging(context.startedAt) ? 'event_loop' : undefined
    if (reason === undefined) return undefined
    onShed(reason)
    // Thousands of equal lines a second are useless; the metric counts them.
    context.isQuiet = context.startedAt - loggedAt[reason] < logIntervalMs
    if (!context.isQuiet) loggedAt[reason] = context.startedAt
    return problems[reason]
  }
}

/** Makes the function that checks whether a request that arrived at `at` exceeds its turn of the event loop. */
function createLagDetector({
  maxLagMs,
  afterTurn = setImmediate,
  now = () => performance.now(),
  cpuMs = threadCpuMs,
}: LoadSheddingOptions): (at: number) => boolean {
  let state: State = normal
  let turn: { readonly startedAt: number; readonly cpuBefore: number } | undefined
  let previous = { endedAt: Number.NEGATIVE_INFINITY, wasLong: false }

  const beginTurn = (at: number) => {
    // After a pause there is no queue, however long the last turn was.
    if (at - previous.endedAt > turnBudgetMs) previous = { ...previous, wasLong: false }
    if (state.name === 'shedding') {
      if (at - state.lastShedAt > calmMs) state = normal
      else if (at >= state.nextTrialAt) state.budgetMs = trialBudgetMs
    }
    afterTurn(endTurn)
    turn = { startedAt: at, cpuBefore: previous.wasLong ? cpuMs() : 0 }
    return turn
  }

  const endTurn = (): void => {
    const endedAt = now()
    previous = { endedAt, wasLong: endedAt - (turn?.startedAt ?? endedAt) > turnBudgetMs }
    turn = undefined
  }

  return (at) => {
    if (maxLagMs === 0) return false
    const { startedAt, cpuBefore } = turn ?? beginTurn(at)
    const elapsed = at - startedAt
    if (state.name === 'shedding') {
      if (elapsed <= state.budgetMs) return false
      if (state.budgetMs === trialBudgetMs) state.nextTrialAt = at + trialIntervalMs
      state.budgetMs = turnBudgetMs
      state.lastShedAt = at
      return true
    }
    const isOver = previous.wasLong && elapsed > maxLagMs && cpuMs() - cpuBefore > elapsed / 2
    if (isOver)
      state = {
        name: 'shedding',
        budgetMs: turnBudgetMs,
        lastShedAt: at,
        nextTrialAt: at + trialIntervalMs,
      }
    return isOver
  }
}

function threadCpuMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1_000
}
