import type { MetricObjectWithValues, MetricValue, Registry } from 'prom-client'
import type { CheckResult } from '../lifecycle/index.ts'
import type { SettingsChange } from '../runtime-settings/runtime-settings.ts'
import type { Settings } from '../runtime-settings/settings.ts'
import type { RequestMessage, ResponseMessage } from './rpc-client.ts'

/** The metrics of a process as plain data (`registry.getMetricsAsJSON()`). */
export type MetricsSnapshot = readonly MetricObjectWithValues<MetricValue<string>>[]

/** Reads the current values of a registry as plain data. */
export async function snapshotMetrics(registry: Registry): Promise<MetricsSnapshot> {
  return (await registry.getMetricsAsJSON()) as unknown as MetricsSnapshot
}

/** The dependency checks of a process by name. */
export type CheckResults = Readonly<Record<string, CheckResult>>

/** Timeout of a heap snapshot, in ms. Writing a large heap takes minutes. */
export const heapSnapshotTimeoutMs = 300_000

/** Requests from the primary process to a worker process. */
export type WorkerRequest =
  | { readonly kind: 'metrics' }
  | { readonly kind: 'checks' }
  | { readonly kind: 'apply-settings'; readonly settings: Settings }
  | { readonly kind: 'heap-snapshot'; readonly path: string }
  | { readonly kind: 'queue'; readonly call: QueueCall }
  | SteerRequest

/** An operator's call of the task queue. */
export type QueueCall =
  | { readonly method: 'stats' }
  | { readonly method: 'set-paused'; readonly paused: boolean }
  | { readonly method: 'retry-failed' }

export type QueueCallResponse =
  | { readonly value: unknown }
  | {
      readonly error: string
      /** Whether a retry may succeed. */
      readonly isUnavailable: boolean
    }

/** Which listeners get new connections; see `Steering` of the lifecycle. */
export type SteerRequest =
  | { readonly kind: 'exclude-listener'; readonly index: number; readonly size: number }
  | { readonly kind: 'reset-steering' }

/** The responses by the kind of the request. A response of type `string | null` is the error, or null. */
export interface WorkerResponses {
  readonly metrics: MetricsSnapshot
  readonly checks: CheckResults
  /** Sent when the settings are applied. */
  readonly 'apply-settings': null
  readonly 'heap-snapshot': string | null
  readonly queue: QueueCallResponse
  readonly 'exclude-listener': string | null
  readonly 'reset-steering': string | null
}

/** Requests from a worker process to the primary process. */
export type PrimaryRequest =
  /** The metrics of all processes. `snapshot` has those of the worker process that was scraped. */
  | { readonly kind: 'scrape'; readonly snapshot: MetricsSnapshot }
  | { readonly kind: 'change-settings'; readonly change: SettingsChange; readonly by: string }

export interface PrimaryResponses {
  /** The text format. */
  readonly scrape: string
  /** Sent when the change is applied in all processes. */
  readonly 'change-settings': null
}

export type FromWorker =
  | { readonly type: 'listening'; readonly port: number }
  /** It has begun to drain. */
  | { readonly type: 'draining' }
  /** The answer to a heartbeat. */
  | { readonly type: 'heartbeat' }
  /** It answers nothing for up to `forMs`, because it is busy; 0 ends that. */
  | { readonly type: 'busy'; readonly forMs: number }
  /** Sent after each heartbeat, and for the last time after the last response. */
  | { readonly type: 'metrics'; readonly snapshot: MetricsSnapshot }
  | RequestMessage<PrimaryRequest>
  | ResponseMessage

/** Sent at an interval: a worker process that does not answer is replaced. */
export interface Heartbeat {
  readonly type: 'heartbeat'
  /** Processes that listen and are not about to end. */
  readonly running: number
  /** How many processes there should be. */
  readonly count: number
}

export type ToWorker = RequestMessage<WorkerRequest> | ResponseMessage | Heartbeat
