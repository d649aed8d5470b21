import type { RequestClass } from '../classify.ts'
import type { LoadEvent } from '../events.ts'
import type { RequestRecord } from '../record.ts'
import { quantileSorted, type TimeStatistics, timeStatistics } from './statistics.ts'

type ClassCounts = Record<RequestClass, number>

/** The client's view of one instance, by the X-Served-By of its responses. */
export type ClientView = { answers: number; errors: number; avgSeconds: number }

/** The requests that ended between one event and the next. */
type Phase = ClassCounts & {
  label: string
  fromMs: number
  toMs: number
  slow: number
  maxSeconds: number
}

/** One step of the time axis. The quantiles are in seconds, null if no request was answered. */
type Bucket = ClassCounts & {
  /** Seconds since the start of the run. */
  second: number
  p50: number | null
  p95: number | null
  p99: number | null
  max: number | null
  instances: Record<string, number>
}

/** The totals of a run's records. */
export type Tally = {
  counts: ClassCounts
  closedIdle: number
  /** Start of the first request. */
  startedMs: number
  /** End of the last request. */
  endedMs: number
  times: TimeStatistics | null
  timesBySize: Record<string, TimeStatistics>
  reasons: { class: RequestClass; reason: string; count: number }[]
  /** The first requests that were not answered. */
  notAnswered: RequestRecord[]
  instances: Map<string, ClientView>
  phases: Phase[]
  bucketSeconds: number
  timeline: Bucket[]
}

const notAnsweredMax = 50
const slowMs = 1_000
/** A chart cannot show more steps than this; longer runs get wider steps. */
const bucketsMax = 600

/**
 * Adds up the records of a run in one pass. Their order does not matter.
 *
 * A request belongs to the phase and the second of its end: clients often send the requests that a kill destroys before
 * the kill.
 */
export async function tallyRecords(
  records: AsyncIterable<RequestRecord>,
  events: LoadEvent[],
): Promise<Tally> {
  const counts: ClassCounts = { answered: 0, refused: 0, lost: 0 }
  const reasons = new Map<string, { class: RequestClass; reason: string; count: number }>()
  const notAnswered: RequestRecord[] = []
  const clients = new Map<string, { answers: number; errors: number; totalMs: number }>()
  const timesBySize = new Map<string, number[]>()
  const seconds = new Map<number, Second>()
  let closedIdle = 0
  let startedMs = Number.POSITIVE_INFINITY
  let endedMs = 0
  const phases: Phase[] = [{ label: 'before', atMs: Number.NEGATIVE_INFINITY }, ...events].map(
    ({ label, atMs }, index) => ({
      label,
      fromMs: atMs,
      toMs: events[index]?.atMs ?? Number.POSITIVE_INFINITY,
      answered: 0,
      refused: 0,
      lost: 0,
      slow: 0,
      maxSeconds: 0,
    }),
  )

  for await (const record of records) {
    const answered = record.class === 'answered'
    counts[record.class]++
    if (record.closedIdle) closedIdle++
    startedMs = Math.min(startedMs, record.endedMs - record.durationMs)
    endedMs = Math.max(endedMs, record.endedMs)

    const phase = phases.find(({ fromMs, toMs }) => record.endedMs >= fromMs && record.endedMs < toMs)
    if (phase) {
      phase[record.class]++
      if (answered) {
        phase.maxSeconds = Math.max(phase.maxSeconds, record.durationMs / 1_000)
        if (record.durationMs > slowMs) phase.slow++
      }
    }

    const second = getOrAdd(seconds, Math.floor(record.endedMs / 1_000), newSecond)
    second.counts[record.class]++
    if (answered) {
      second.durationsMs.push(record.durationMs)
      getOrAdd(timesBySize, record.size, () => []).push(record.durationMs)
    } else {
      const name = `${record.class} ${record.reason}`
      getOrAdd(reasons, name, () => ({ class: record.class, reason: record.reason, count: 0 })).count++
      if (notAnswered.length < notAnsweredMax) notAnswered.push(record)
    }

    if (record.status !== 0) {
      const instance = record.instance || '(no X-Served-By)'
      second.instances.set(instance, (second.instances.get(instance) ?? 0) + 1)
      const client = getOrAdd(clients, instance, () => ({ answers: 0, errors: 0, totalMs: 0 }))
      client.answers++
      client.totalMs += record.durationMs
      if (!answered) client.errors++
    }
  }

  const bucketSeconds = Math.max(1, Math.ceil((endedMs - startedMs) / 1_000 / bucketsMax))
  return {
    counts,
    closedIdle,
    startedMs: Number.isFinite(startedMs) ? startedMs : 0,
    endedMs,
    times: timeStatistics([...timesBySize.values()].flat()),
    timesBySize: Object.fromEntries(
      [...timesBySize].flatMap(([size, times]) => {
        const statistics = timeStatistics(times)
        return statistics ? [[size, statistics]] : []
      }),
    ),
    reasons: [...reasons.values()].sort((a, b) => b.count - a.count),
    notAnswered,
    instances: new Map(
      [...clients]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, { answers, errors, totalMs }]) => [
          name,
          { answers, errors, avgSeconds: totalMs / answers / 1_000 },
        ]),
    ),
    phases: phases.map((phase) => ({
      ...phase,
      fromMs: Number.isFinite(phase.fromMs) ? phase.fromMs : startedMs,
      toMs: Number.isFinite(phase.toMs) ? phase.toMs : endedMs,
    })),
    bucketSeconds,
    timeline: toTimeline(seconds, startedMs, endedMs, bucketSeconds),
  }
}

type Second = { counts: ClassCounts; durationsMs: number[]; instances: Map<string, number> }

function newSecond(): Second {
  return { counts: { answered: 0, refused: 0, lost: 0 }, durationsMs: [], instances: new Map() }
}

/** Keeps empty steps: a second without a response is a finding. */
function toTimeline(
  seconds: Map<number, Second>,
  startedMs: number,
  endedMs: number,
  width: number,
): Bucket[] {
  const first = Math.floor(startedMs / 1_000)
  const last = Math.floor(endedMs / 1_000)
  const buckets: Bucket[] = []
  for (let from = first; from <= last; from += width) {
    const merged = newSecond()
    for (let second = from; second < from + width; second++) {
      const part = seconds.get(second)
      if (!part) continue
      merged.counts.answered += part.counts.answered
      merged.counts.refused += part.counts.refused
      merged.counts.lost += part.counts.lost
      for (const duration of part.durationsMs) merged.durationsMs.push(duration)
      for (const [name, count] of part.instances) {
        merged.instances.set(name, (merged.instances.get(name) ?? 0) + count)
      }
    }
    const sorted = Float64Array.from(merged.durationsMs).sort()
    const at = (q: number): number | null => (sorted.length === 0 ? null : quantileSorted(sorted, q) / 1_000)
    buckets.push({
      second: from - first,
      ...merged.counts,
      p50: at(0.5),
      p95: at(0.95),
      p99: at(0.99),
      max: at(1),
      instances: Object.fromEntries(merged.instances),
    })
  }
  return buckets
}

function getOrAdd<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const found = map.get(key)
  if (found !== undefined) return found
  const made = make()
  map.set(key, made)
  return made
}
