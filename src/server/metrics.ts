import manifest from '../../package.json' with { type: 'json' }
import type { Config } from '../config.ts'
import type { Build } from '../http/routes/health.ts'
import type { BoundServer, Lifecycle } from '../lifecycle/index.ts'
import type { BufferedWriter } from '../telemetry/log/buffered-writer.ts'
import { createMetrics, type Metrics } from '../telemetry/metrics/metrics.ts'

/** The configured build; the version defaults to the version of the package. */
export function getBuild(config: Config): Build {
  return {
    service: config.SERVICE_NAME,
    version: config.SERVICE_VERSION ?? manifest.version,
    revision: config.SERVICE_REVISION,
  }
}

/**
 * Creates the metrics of a process.
 *
 * @param getServer returns the server once it listens; called at each scrape
 */
export function openMetrics(
  lifecycle: Lifecycle,
  config: Config,
  writer: BufferedWriter,
  getServer: () => BoundServer | undefined,
): Metrics {
  return createMetrics({
    prefix: config.METRICS_PREFIX,
    build: getBuild(config),
    sources: {
      state: () => lifecycle.state.name,
      inFlight: () => getServer()?.inFlight ?? 0,
      servedWhileDraining: () => getServer()?.servedWhileDraining ?? 0,
      logLinesDropped: () => writer.droppedLines,
    },
  })
}
