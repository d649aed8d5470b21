import type { Config } from '../config.ts'
import type { Lifecycle } from '../lifecycle/index.ts'
import { describeError } from '../telemetry/log/describe-error.ts'
import type { Log } from '../telemetry/log/log.ts'
import type { Tracing } from '../telemetry/tracing/tracing.ts'
import { getBuild } from './metrics.ts'
import { followSecret } from './secrets.ts'

/** Time limit for sending the last spans, in ms. It must be below the time limit for all shutdown hooks. */
const closeTimeoutMs = 2_000

/**
 * Opens tracing if it is configured. From then on log lines carry the ids of their trace. A shutdown hook sends the
 * last spans after everything that could still add some has closed.
 *
 * @returns undefined if tracing is off; none of its packages are loaded then
 */
export async function openTracing(
  lifecycle: Lifecycle,
  config: Config,
  log: Log,
): Promise<Tracing | undefined> {
  if (!config.TRACING_ENABLED || config.OTEL_SDK_DISABLED || config.OTEL_TRACES_EXPORTER === 'none')
    return undefined
  const { createOpenTelemetryTracing } = await import('../telemetry/tracing/open-telemetry.ts')
  const { service, version } = getBuild(config)
  let headers = config.OTEL_EXPORTER_OTLP_HEADERS
  followSecret(lifecycle, config, log, 'OTEL_EXPORTER_OTLP_HEADERS', (changed) => {
    headers = changed
  })
  const tracing: Tracing = createOpenTelemetryTracing({
    service,
    version,
    instance: config.INSTANCE_NAME,
    sampler: config.OTEL_TRACES_SAMPLER,
    samplerRatio: config.OTEL_TRACES_SAMPLER_ARG,
    batchDelayMs: config.OTEL_BSP_SCHEDULE_DELAY,
    // Without a file the packages read the variable themselves, and that of traces, which has precedence.
    ...(config.OTEL_EXPORTER_OTLP_HEADERS_FILE !== undefined && { headers: () => headers ?? '' }),
    closeTimeoutMs,
    onExportFailed: logExportFailures(log, () => tracing.droppedSpans),
  })
  log.context = tracing.ids
  lifecycle.onClose('traces', () => tracing.close())
  return tracing
}

/** How often failing exports are logged, in ms. */
const warnIntervalMs = 60_000

/** Logs that spans cannot be exported, once a minute: every batch of an unreachable collector fails. */
function logExportFailures(log: Log, droppedSpans: () => number): (error: unknown) => void {
  let loggedAt = Number.NEGATIVE_INFINITY
  return (error) => {
    const now = performance.now()
    if (now - loggedAt < warnIntervalMs) return
    loggedAt = now
    log.warn('exporting spans failed', { cause: describeError(error), dropped_spans: droppedSpans() })
  }
}
