import type { Config } from '../config.ts'
import type { Lifecycle } from '../lifecycle/index.ts'
import type { Log } from '../telemetry/log/log.ts'
import type { Tracing } from '../telemetry/tracing/tracing.ts'
import { getBuild } from './metrics.ts'

/** What sending the last spans may take, in ms: less than what closing may take altogether. */
const closeMsMax = 2_000

/**
 * Opens tracing where the configuration wants it; from then on log lines name their trace. What was traced is sent when
 * the process closes, after everything that could still add to it.
 *
 * @returns undefined where tracing is off: nothing of it is loaded then
 */
export async function openTracing(
  lifecycle: Lifecycle,
  config: Config,
  log: Log,
): Promise<Tracing | undefined> {
  if (!config.TRACING_ENABLED) return undefined
  const { openTelemetry } = await import('../telemetry/tracing/open-telemetry.ts')
  const { service, version } = getBuild(config)
  const tracing = openTelemetry({
    service,
    version,
    instance: config.INSTANCE_NAME,
    sampler: config.OTEL_TRACES_SAMPLER,
    samplerRatio: config.OTEL_TRACES_SAMPLER_ARG,
    sendEveryMs: config.OTEL_BSP_SCHEDULE_DELAY,
    closeMsMax,
  })
  log.context = tracing.ids
  lifecycle.onClose('traces', () => tracing.close())
  return tracing
}
