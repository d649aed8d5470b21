import type { Registry } from 'prom-client'
import { type ApplicationMetrics, createApplicationMetrics } from './application-metrics.ts'
import { registerDefaultMetrics } from './default-metrics.ts'
import { createPayloadMetrics } from './payload-metrics.ts'
import { createProcessMetrics, type MetricSources, type ProcessLabels } from './process-metrics.ts'
import { Registry as PromRegistry } from './prom-client.ts'
import { createRequestMetrics, type RequestMetrics } from './request-metrics.ts'

export type { MetricSources } from './process-metrics.ts'

export interface MetricsOptions extends ProcessLabels {
  /** Put before the names of the application's metrics; may be empty. */
  readonly prefix: string
  readonly sources: MetricSources
}

export interface Metrics extends ApplicationMetrics {
  readonly registry: Registry
  readonly requests: RequestMetrics
  /** Counts the size of one accepted payload. */
  observePayload(numbers: number, textCharacters: number): void
  /** Counts one uncaught exception or unhandled rejection. */
  countUncaughtError(): void
}

/** Creates every metric of a process in its own registry. */
export function createMetrics({ prefix, sources, ...labels }: MetricsOptions): Metrics {
  const registry = new PromRegistry()
  const metrics = {
    registry,
    requests: createRequestMetrics(registry, prefix),
    observePayload: createPayloadMetrics(registry, prefix),
    ...createApplicationMetrics(registry, prefix),
    countUncaughtError: createProcessMetrics(registry, prefix, sources, labels),
  }
  registerDefaultMetrics(registry)
  return metrics
}
