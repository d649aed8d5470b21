import type { Registry } from 'prom-client'
import { HistogramSeries, type Labels, registerHistogram } from './histogram-series.ts'
import { Counter, Gauge } from './prom-client.ts'

/** In seconds. A response takes a fraction of a millisecond; 0.5 is the threshold of the latency objective. */
export const durationBuckets = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
] as const

/** Whose requests a route answers: those of clients, or of platforms, operators and readers of pages. */
export type RouteScope = 'application' | 'background'

export interface RequestMetrics {
  /** Says once which requests a route answers, so that queries need no list of routes. */
  describeRoute(route: string, scope: RouteScope): void
  /**
   * Counts one answered request.
   *
   * @param route the route template, or one fixed value for all unmatched requests; never a raw path
   * @param status 100 to 599
   */
  observe(method: string, route: string, status: number, seconds: number): void
  /** The requests so far of the routes that `includes` accepts. */
  totals(includes: (route: string) => boolean): RequestTotals
}

/** Some of the requests of a process, in one histogram. */
export interface RequestTotals {
  readonly count: number
  /** Of those, answered with 5xx. */
  readonly failed: number
  /** The upper bounds of the buckets, in seconds. */
  readonly bounds: readonly number[]
  /** Requests in each bucket, not cumulative; the last bucket is +Inf. */
  readonly counts: readonly number[]
}

/**
 * `app_route_info`, and `http_requests_total` and `http_request_duration_seconds` by method, route and status: the metrics of
 * `@hono/prometheus`, from one {@link HistogramSeries} for each combination of labels. Every request pays for them.
 */
export function createRequestMetrics(registry: Registry, prefix: string): RequestMetrics {
  const table = new SeriesTable()
  new Counter({
    name: `${prefix}http_requests_total`,
    help: 'Total number of HTTP requests',
    labelNames: ['method', 'route', 'status'],
    registers: [registry],
    collect() {
      this.reset()
      for (const [labels, series] of table.entries()) this.inc(labels, series.count)
    },
  })
  registerHistogram(registry, {
    name: `${prefix}http_request_duration_seconds`,
    help: 'Duration of HTTP requests in seconds, from the request read to the response created',
    buckets: durationBuckets,
    series: () => table.entries(),
  })

  const routes = new Gauge({
    name: 'app_route_info',
    help: 'The routes and whose requests they answer: application (clients) or background; the value is always 1',
    labelNames: ['route', 'scope'],
    // Processes behind one port have the same.
    aggregator: 'max',
    registers: [registry],
  })

  // Most requests have the labels of the request before.
  let lastMethod = ''
  let lastRoute = ''
  let lastStatus = 0
  let last = new HistogramSeries(durationBuckets)
  return {
    describeRoute: (route, scope) => routes.set({ route, scope }, 1),
    observe(method, route, status, seconds) {
      if (status !== lastStatus || route !== lastRoute || method !== lastMethod) {
        last = table.get(method, route, status)
        lastMethod = method
        lastRoute = route
        lastStatus = status
      }
      last.observe(seconds)
    },
    totals(includes) {
      const counts = new Array<number>(durationBuckets.length + 1).fill(0)
      let failed = 0
      for (const [{ route = '', status = '' }, series] of table.entries()) {
        if (!includes(route)) continue
        for (const [bucket, n] of series.counts.entries()) counts[bucket] = (counts[bucket] ?? 0) + n
        if (status.startsWith('5')) failed += series.count
      }
      return { count: counts.reduce((total, n) => total + n, 0), failed, bounds: durationBuckets, counts }
    },
  }
}

/** The series by route, method and status. */
class SeriesTable {
  readonly #series = new Map<string, Map<string, HistogramSeries[]>>()

  /** Returns the series for these labels and creates it at the first call. */
  get(method: string, route: string, status: number): HistogramSeries {
    const existing = this.#series.get(route)?.get(method)?.[status]
    if (existing !== undefined) return existing
    const created = new HistogramSeries(durationBuckets)
    const methods = this.#series.get(route) ?? new Map<string, HistogramSeries[]>()
    const statuses = methods.get(method) ?? []
    statuses[status] = created
    this.#series.set(route, methods.set(method, statuses))
    return created
  }

  entries(): (readonly [Labels, HistogramSeries])[] {
    return [...this.#series].flatMap(([route, methods]) =>
      [...methods].flatMap(([method, statuses]) =>
        // The array is indexed by status; flatMap skips its holes.
        statuses.flatMap((series, status) => [[{ method, route, status: String(status) }, series] as const]),
      ),
    )
  }
}
