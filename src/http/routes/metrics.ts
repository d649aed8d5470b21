import { type Handler, Hono } from 'hono'
import type { Registry } from 'prom-client'
import type { Env } from '../env.ts'
import { type BearerToken, bearerToken } from '../middleware/bearer-token.ts'

export interface MetricsDeps {
  readonly registry: Registry
  /** Prints the metrics of several processes on one port. Default: those of this process. */
  readonly scrape?: (() => Promise<string>) | undefined
  /** The bearer token that a scraper must send. Default: none. */
  readonly token?: BearerToken | undefined
}

/** GET /metrics in the Prometheus text format. */
export function metricsRoutes({ registry, scrape, token }: MetricsDeps) {
  const routes = new Hono<Env>()
  if (token !== undefined) routes.use('/metrics', bearerToken(token))
  const print: Handler<Env> =
    scrape === undefined ? lazyPrinter(registry) : async (c) => c.text(await scrape())
  return routes.get('/metrics', async (c, next) => {
    const response: Response = await print(c, next)
    // Without the version of the format, Prometheus 3 refuses the text.
    response.headers.set('content-type', registry.contentType)
    return response
  })
}

/** Loaded by the first scrape: the package and the node:http that it brings would lengthen every start. */
function lazyPrinter(registry: Registry): Handler {
  const load = async (): Promise<Handler> => {
    const { prometheus } = await import('@hono/prometheus')
    // Why its middleware does not feed the request metrics: docs/decisions/0001-request-metrics.md.
    const metricOptions = { requestDuration: { disabled: true }, requestsTotal: { disabled: true } }
    return prometheus({ registry, metricOptions }).printMetrics
  }
  let printMetrics: Promise<Handler> | undefined
  return async (c, next) => {
    printMetrics ??= load()
    return (await printMetrics)(c, next)
  }
}
