import type { Context } from 'hono'
import type { Registry } from 'prom-client'
import { type Checks, type Lifecycle, liveness, readiness } from '../../lifecycle/index.ts'
import type { operationsDocs } from '../openapi/health.ts'
import type { Env, Route } from '../route.ts'

/** What runs here. */
export interface Build {
  readonly service: string
  readonly version: string
  readonly revision: string
}

/** What it runs on. */
export const runtime = `bun ${Bun.version}`

export interface OperationsOptions {
  readonly lifecycle: Lifecycle
  readonly checks: Checks
  readonly build: Build
}

/**
 * What a platform asks: is it alive, does it want traffic, what is it.
 *
 * The probes are found without Hono, whose router is made by the first request that needs it: 6 ms, for which the first
 * answer of a start would wait.
 */
export function operationsRoutes({ lifecycle, checks, build }: OperationsOptions): Route[] {
  const about = { ...build, runtime }

  const alive = liveness({
    body: () => ({
      service: build.service,
      version: build.version,
      timestamp: new Date().toISOString(),
    }),
  })

  return [
    {
      method: 'GET',
      path: '/health',
      aliases: ['/healthz', '/livez'],
      kind: 'operations',
      handler: alive,
      doc: () => docOf('health'),
    },
    {
      method: 'GET',
      path: '/ready',
      aliases: ['/readyz'],
      kind: 'operations',
      handler: readiness(lifecycle, checks),
      doc: () => docOf('ready'),
    },
    {
      method: 'GET',
      path: '/version',
      kind: 'operations',
      handler: (c) => c.json(about),
      doc: () => docOf('version'),
    },
  ]
}

export interface MetricsRouteOptions {
  readonly registry: Registry
  /** Makes the text of a scrape where this process alone cannot: one of several on a port. */
  readonly scrape?: (() => Promise<string>) | undefined
}

/** How it is doing: the metrics of the process, or of all that share its port. */
export function metricsRoute({ registry, scrape }: MetricsRouteOptions): Route {
  let printer: ReturnType<typeof loadPrinter> | undefined
  const print = async (c: Context<Env>): Promise<Response> => {
    if (scrape !== undefined) return c.text(await scrape())
    printer ??= loadPrinter(registry)
    return (await printer)(c)
  }
  return {
    method: 'GET',
    path: '/metrics',
    kind: 'metrics',
    handler: async (c) => {
      const response = await print(c)
      // The package says text/plain without the version, which Prometheus 3 refuses to guess.
      response.headers.set('content-type', registry.contentType)
      return response
    },
    doc: () => docOf('metrics'),
  }
}

/** Loaded by the first scrape: no start should wait for the package, nor for node:http, which it brings. */
async function loadPrinter(registry: Registry) {
  const { prometheus } = await import('@hono/prometheus')
  return prometheus({
    registry,
    // The two standard families are fed by request-metrics.ts, which says why.
    metricOptions: { requestDuration: { disabled: true }, requestsTotal: { disabled: true } },
  }).printMetrics
}

async function docOf(name: keyof typeof operationsDocs) {
  const docs = await import('../openapi/health.ts')
  return docs.operationsDocs[name]
}
