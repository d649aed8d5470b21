import type { MetricObjectWithValues, MetricValue } from 'prom-client'

/** A process's metrics as plain data (`registry.getMetricsAsJSON()`). */
export type Snapshot = readonly MetricObjectWithValues<MetricValue<string>>[]

/** What a server process tells its supervisor. */
export type FromMember =
  | { readonly type: 'listening'; readonly port: number }
  | { readonly type: 'steered'; readonly problem?: string }
  /** Sent every second, when asked for, and for the last time after the last answer. */
  | { readonly type: 'snapshot'; readonly snapshot: Snapshot }
  /** Somebody scrapes this process: the answer is the sum over all of them. */
  | { readonly type: 'sum-wanted'; readonly id: number; readonly snapshot: Snapshot }

/** What the supervisor tells a server process. */
export type ToMember =
  | { readonly type: 'steer-away'; readonly index: number; readonly size: number }
  | { readonly type: 'steer-evenly' }
  | { readonly type: 'snapshot-wanted' }
  | { readonly type: 'sum'; readonly id: number; readonly text: string }
