import type { InstanceJson } from '../../http/routes/instance-json.ts'
import { bucketQuantile } from './quantile.ts'

/** What an instance reported, and when. */
interface Reading {
  /** Unix time, in ms. */
  readonly at: number
  readonly instance: InstanceJson
}

/** A point of a live plot. */
export interface Point {
  /** Unix time, in ms. */
  readonly at: number
  readonly requestsPerSecond: number
  /** In s; undefined without requests. */
  readonly p50: number | undefined
  readonly p95: number | undefined
  readonly p99: number | undefined
}

/** One process, from its first to its last reading. */
export interface InstanceHistory {
  /** Name and start time, because a name can return. */
  readonly key: string
  readonly latest: Reading
  /** The readings of the last seconds, for rates and quantiles. */
  readonly window: readonly Reading[]
  readonly points: readonly Point[]
}

export type Instances = ReadonlyMap<string, InstanceHistory>

/** Time span of rates and quantiles, in ms. */
const windowMs = 10_000
/** Minimum distance of two readings of an instance in its plots, in ms. */
const minIntervalMs = 900
/** Ten minutes of points, one a second. */
const maxPoints = 600
/** Time without a reading after which an instance is gone, in ms. */
export const goneAfterMs = 5_000
/** Time after which a gone instance is removed, in ms. */
const forgottenAfterMs = 60_000

/** Adds a reading to the known instances. */
export function addReading(instances: Instances, instance: InstanceJson, at: number): Instances {
  const key = `${instance.name} ${instance.started_at}`
  const reading = { at, instance }
  const before = instances.get(key)
  const next = new Map([...instances].filter(([, { latest }]) => at - latest.at < forgottenAfterMs))
  if (before === undefined) return next.set(key, { key, latest: reading, window: [reading], points: [] })
  const newest = before.window.at(-1)
  if (newest !== undefined && at - newest.at < minIntervalMs)
    return next.set(key, { ...before, latest: reading })
  const window = [...before.window.filter((each) => at - each.at <= windowMs), reading]
  const point = describeWindow(window)
  const points = point === undefined ? before.points : [...before.points, point].slice(-maxPoints)
  return next.set(key, { key, latest: reading, window, points })
}

/** Rates and quantiles between the first and the last reading. */
function describeWindow(window: readonly Reading[]): Point | undefined {
  const [first, last] = [window[0], window.at(-1)]
  if (first === undefined || last === undefined || first === last) return undefined
  const { requests } = last.instance
  const counts = requests.counts.map((count, i) => count - (first.instance.requests.counts[i] ?? 0))
  const quantile = (share: number) => bucketQuantile(requests.bounds, counts, share)
  return {
    at: last.at,
    requestsPerSecond: (1_000 * (requests.total - first.instance.requests.total)) / (last.at - first.at),
    p50: quantile(0.5),
    p95: quantile(0.95),
    p99: quantile(0.99),
  }
}

/** `ready` or `draining` as reported, or `gone` without recent readings. */
export function stateOf({ latest }: InstanceHistory, now: number): string {
  return now - latest.at > goneAfterMs ? 'gone' : latest.instance.state
}
