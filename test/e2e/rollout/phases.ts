import { parseEvents } from '../../../load/events.ts'
import { parseRecord, type RequestRecord } from '../../../load/record.ts'

/** The outcomes of the requests of one phase. */
export interface PhaseCounts {
  readonly phase: string
  sent: number
  answered: number
  refused: number
  lost: number
  /** Answered after more than a second. */
  slow: number
  /**
   * Connections that were closed while idle: each a race that the client won. Without `announced` (see below) an upper
   * limit, because it includes those whose last response had `Connection: close`.
   */
  closedIdle: number
  maxMs: number
}

const slowMs = 1_000

/**
 * Counts the requests of a load by phase. The phase is the part of an event's label before the colon. A request belongs
 * to the phase in which it ended, because a stop often affects requests that were sent before it.
 *
 * @param records the load's `requests.csv`
 * @param events the load's EVENTS_FILE
 * @param announced whether this response, the last one on its connection, had `Connection: close`. k6 does not record
 *   that (load/journeys.ts); it follows from the time at which each instance began to drain.
 */
export function countByPhase(
  records: string,
  events: string,
  announced: (last: RequestRecord) => boolean = () => false,
): PhaseCounts[] {
  const starts = parseEvents(events).map(({ atMs, label }) => ({ atMs, phase: label.split(':')[0] ?? label }))
  const counts = new Map<string, PhaseCounts>()
  const of = (phase: string): PhaseCounts => {
    const known = counts.get(phase)
    if (known !== undefined) return known
    const fresh = { phase, sent: 0, answered: 0, refused: 0, lost: 0, slow: 0, closedIdle: 0, maxMs: 0 }
    counts.set(phase, fresh)
    return fresh
  }
  for (const { phase } of [{ phase: 'steady' }, ...starts]) of(phase)
  const lastOfUser = new Map<string, RequestRecord>()
  for (const line of records.split('\n')) {
    const record = parseRecord(line)
    if (record === null) continue
    const count = of(starts.findLast(({ atMs }) => atMs <= record.endedMs)?.phase ?? 'steady')
    count.sent++
    count[record.class]++
    if (record.class === 'answered') {
      count.maxMs = Math.max(count.maxMs, record.durationMs)
      if (record.durationMs > slowMs) count.slow++
    }
    const user = userOf(record)
    const last = lastOfUser.get(user)
    if (record.closedIdle && !(last !== undefined && announced(last))) count.closedIdle++
    lastOfUser.set(user, record)
  }
  return [...counts.values()]
}

/** The user that sent a request, and thus its connection: the request's id without its number. */
function userOf({ requestId }: RequestRecord): string {
  return requestId.slice(0, requestId.lastIndexOf('-'))
}

/** The sum of the phases, under its own name. */
export function sumOf(phases: readonly PhaseCounts[], phase: string): PhaseCounts {
  const sum = { phase, sent: 0, answered: 0, refused: 0, lost: 0, slow: 0, closedIdle: 0, maxMs: 0 }
  for (const each of phases) {
    for (const field of ['sent', 'answered', 'refused', 'lost', 'slow', 'closedIdle'] as const) {
      sum[field] += each[field]
    }
    sum.maxMs = Math.max(sum.maxMs, each.maxMs)
  }
  return sum
}
