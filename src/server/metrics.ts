import manifest from '../../package.json' with { type: 'json' }
import type { Config } from '../config.ts'
import type { Build } from '../http/routes/health.ts'
import type { BoundServer, Lifecycle } from '../lifecycle/index.ts'
import type { LineSink } from '../telemetry/log/buffered-writer.ts'
import { createMetrics, type Metrics } from '../telemetry/metrics/metrics.ts'

/** The build as the configuration has it; the version falls back to the package's own. */
export function buildOf(config: Config): Build {
  return {
    service: config.SERVICE_NAME,
    version: config.SERVICE_VERSION ?? manifest.version,
    revision: config.SERVICE_REVISION,
  }
}

/**
 * The metrics of a process.
 *
 * @param server the server, once it listens: a scrape asks it.
 */
export function openMetrics(
  lifecycle: Lifecycle,
  config: Config,
  sink: LineSink,
  server: () => BoundServer | undefined,
): Metrics {
  const { version, revision } = buildOf(config)
  return createMetrics({
    prefix: config.METRICS_PREFIX,
    build: { version, revision },
    sources: {
      state: () => lifecycle.state.name,
      inFlight: () => server()?.inFlight ?? 0,
      servedWhileDraining: () => server()?.servedWhileDraining ?? 0,
      logLinesDropped: () => sink.dropped,
    },
  })
}
