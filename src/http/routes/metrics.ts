import { Hono } from 'hono'
import type { Registry } from 'prom-client'
import type { Env } from '../env.ts'
import { bearerToken } from '../middleware/bearer-token.ts'

export interface MetricsDeps {
  readonly registry: Registry
  /** Prints the metrics of several processes on one port. Default: those of this process. */
  readonly scrape?: (() => Promise<string>) | undefined
  /** The bearer token that a scraper must send. Default: none. */
  readonly token?: string | undefined
}

/** GET /metrics in the Prometheus text format. */
export function metricsRoutes({ registry, scrape, token }: MetricsDeps) {
  const routes = new Hono<Env>()
  if (token !== undefined) routes.use('/metrics', bearerToken(token))
  return routes.get('/metrics', async (c) => {
    // Prometheus 3 refuses text without the version of its format.
    return c.text(await (scrape?.() ?? registry.metrics()), 200, { 'content-type': registry.contentType })
  })
}
