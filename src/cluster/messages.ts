import type { MetricObjectWithValues, MetricValue, Registry } from 'prom-client'
import type { CheckResult } from '../lifecycle/index.ts'
import type { SettingsChange } from '../runtime-settings/runtime-settings.ts'
import type { Settings } from '../runtime-settings/settings.ts'

/** A process's metrics as plain data (`registry.getMetricsAsJSON()`). */
export type Snapshot = readonly MetricObjectWithValues<MetricValue<string>>[]

/** What a registry holds now, as plain data. */
export async function snapshotOf(registry: Registry): Promise<Snapshot> {
  return (await registry.getMetricsAsJSON()) as unknown as Snapshot
}

/** What a process depends on, and how it is, by name. */
export type CheckResults = Readonly<Record<string, CheckResult>>

/** What the supervisor can ask of a server process. */
export type Question =
  | { readonly kind: 'snapshot' }
  | { readonly kind: 'checks' }
  /** No question but an order: its answer says that it is carried out. */
  | { readonly kind: 'settings'; readonly settings: Settings }
  /** Likewise: write a heap snapshot there. */
  | { readonly kind: 'heap-snapshot'; readonly path: string }
  | { readonly kind: 'steer-away'; readonly index: number; readonly size: number }
  | { readonly kind: 'steer-evenly' }

/** What it is told. */
export interface Answers {
  readonly snapshot: Snapshot
  readonly checks: CheckResults
  readonly settings: null
  /** What went wrong, or nothing. */
  readonly 'heap-snapshot': string | null
  /** What went wrong, or nothing. */
  readonly 'steer-away': string | null
  readonly 'steer-evenly': string | null
}

/** What a server process tells its supervisor. */
export type FromMember =
  | { readonly type: 'listening'; readonly port: number }
  /** Sent every second, and for the last time after the last answer. */
  | { readonly type: 'snapshot'; readonly snapshot: Snapshot }
  /** Somebody scrapes this process: the answer is the sum over all of them. */
  | { readonly type: 'sum-wanted'; readonly id: number; readonly snapshot: Snapshot }
  /** An operator wants a change, and asked this process. */
  | {
      readonly type: 'change-wanted'
      readonly id: number
      readonly change: SettingsChange
      readonly by: string
    }
  | { readonly type: 'answer'; readonly id: number; readonly answer: Answers[Question['kind']] }

/** What the supervisor tells a server process. */
export type ToMember =
  | { readonly type: 'question'; readonly id: number; readonly question: Question }
  | { readonly type: 'sum'; readonly id: number; readonly text: string }
  | { readonly type: 'changed'; readonly id: number }
