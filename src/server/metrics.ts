import manifest from '../../package.json' with { type: 'json' }
import type { Config } from '../config.ts'
import type { App } from '../http/app.ts'
import type { Build } from '../http/routes/health.ts'
import type { BoundServer, Lifecycle } from '../lifecycle/index.ts'
import type { BufferedWriter } from '../telemetry/log/buffered-writer.ts'
import { createMetrics, type Metrics } from '../telemetry/metrics/metrics.ts'
import type { Tracing } from '../telemetry/tracing/tracing.ts'
import { describeBackends } from './backends.ts'

// The bundler replaces both, where there is git; see tools/bundle.ts. From source they do not exist.
declare const BUILD_VERSION: string | undefined
declare const BUILD_REVISION: string | undefined
const builtVersion = typeof BUILD_VERSION === 'undefined' ? manifest.version : BUILD_VERSION
const builtRevision = typeof BUILD_REVISION === 'undefined' ? 'unknown' : BUILD_REVISION

/** The version and revision of the service: as configured, or as built. */
export function getBuild(config: Config): Build {
  return {
    service: config.SERVICE_NAME,
    version: config.SERVICE_VERSION ?? builtVersion,
    revision: config.SERVICE_REVISION ?? builtRevision,
  }
}

/** Parts of a process that start after its metrics. Each scrape reads them. */
export interface LateSources {
  readonly server?: BoundServer
  readonly app?: Pick<App, 'requests'>
  readonly tracing?: Tracing | undefined
}

/** Creates the metrics of a process. */
export function openMetrics(
  lifecycle: Lifecycle,
  config: Config,
  writer: BufferedWriter,
  role: 'server' | 'worker',
  late: LateSources,
): Metrics {
  return createMetrics({
    prefix: config.METRICS_PREFIX,
    role,
    build: getBuild(config),
    backends: describeBackends(config, role),
    sources: {
      state: () => lifecycle.state.name,
      // The scrape itself is in flight too, but is no request of a client.
      inFlight: () => Math.max(0, (late.server?.inFlight ?? 0) - (late.app?.requests.countProbes() ?? 0)),
      servedWhileDraining: () => late.server?.servedWhileDraining ?? 0,
      spansDropped: () => late.tracing?.droppedSpans ?? 0,
      logLinesDropped: () => writer.droppedLines,
    },
  })
}
