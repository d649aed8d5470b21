import type { Metric, MetricValueWithName, Registry } from 'prom-client'

export type Labels = Readonly<Record<string, string>>

/**
 * One series of a histogram, for code that every request runs. prom-client's `observe` checks and hashes the labels
 * on each call; here the caller keeps the series, so that an observation is an increment.
 */
export class HistogramSeries {
  /** Observations per bucket, not cumulative; the last bucket is +Inf. */
  readonly counts: Float64Array
  sum = 0
  readonly #bounds: readonly number[]

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds
    this.counts = new Float64Array(bounds.length + 1)
  }

  observe(value: number): void {
    const bounds = this.#bounds
    let bucket = 0
    // Linear search: most values fall into the first buckets.
    while (bucket < bounds.length && value > (bounds[bucket] as number)) bucket++
    this.counts[bucket] = (this.counts[bucket] as number) + 1
    this.sum += value
  }

  get count(): number {
    return this.counts.reduce((total, n) => total + n, 0)
  }
}

export interface HistogramOptions {
  readonly name: string
  readonly help: string
  /** Upper bounds, ascending, without +Inf. */
  readonly buckets: readonly number[]
  /** Every series of the histogram; called at each scrape. */
  readonly series: () => readonly (readonly [labels: Labels, series: HistogramSeries])[]
}

/** Registers a histogram whose series are kept by the caller. */
export function registerHistogram(
  registry: Registry,
  { name, help, buckets, series }: HistogramOptions,
): void {
  const metric = {
    name,
    get: async () => ({
      name,
      help,
      type: 'histogram',
      aggregator: 'sum',
      values: series().flatMap(([labels, one]) => formatSeries(name, buckets, labels, one)),
    }),
  }
  // A registry uses nothing but `name` and `get()`; its type asks for one of prom-client's own classes.
  registry.registerMetric(metric as unknown as Metric)
}

/** The samples of one series: cumulative buckets, sum and count. */
function formatSeries(
  name: string,
  bounds: readonly number[],
  labels: Labels,
  { counts, sum }: HistogramSeries,
): MetricValueWithName<string>[] {
  let cumulative = 0
  const buckets = [...bounds, '+Inf'].map((le, i) => {
    cumulative += counts[i] ?? 0
    return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: cumulative }
  })
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels: { ...labels }, value: sum },
    { metricName: `${name}_count`, labels: { ...labels }, value: cumulative },
  ]
}
