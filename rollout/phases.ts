import { parseEvents } from '../load/events.ts'
import { parseRecord } from '../load/record.ts'

/** What became of the requests of one phase. */
export interface PhaseCounts {
  readonly phase: string
  sent: number
  answered: number
  refused: number
  lost: number
  /** Answered after more than a second. */
  slow: number
  /** Connections that somebody closed while they were idle: each a race that was won. */
  closedIdle: number
  maxMs: number
}

const slowMs = 1_000

/**
 * Counts the requests of a load by phase. A phase is what stands before the colon of an event's label; a
 * request belongs to the phase in which its outcome was known, for what a stop costs was often sent
 * before it.
 *
 * @param records the load's `requests.csv`.
 * @param events the load's EVENTS_FILE.
 */
export function countByPhase(records: string, events: string): PhaseCounts[] {
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
    if (record.closedIdle) count.closedIdle++
  }
  return [...counts.values()]
}
