import { type Counting, type Increase, noCounting, payloadRoutes, toViews } from './service-side.ts'

/** Raw samples of one series as Prometheus has them: [Unix seconds, value], in order of time. */
export type Series = { labels: Record<string, string>; samples: [number, number][] }

/** How far before the run a last sample is looked for: longer than any usual scrape interval. */
const lookbackSeconds = 300

/**
 * Counts through Prometheus, exactly: from raw samples, because `increase()` extrapolates to the edges
 * of its range and gives fractions. Instances that are gone are in it, for their samples stay.
 *
 * Both ends wait until every target was scraped once more, so that no request from before the run is
 * counted and none of the run is missed. What no scrape can see is what an instance did between its
 * last scrape and its death: after a drained stop nothing, after a kill up to one scrape interval.
 *
 * @param scrapeWaitMs how long to wait for those scrapes; longer than the scrape interval
 */
export async function countWithPrometheus(options: {
  prometheusUrl: string
  payloadUrl: string
  metricsPrefix: string
  scrapeWaitMs: number
}): Promise<Counting> {
  const api = new PrometheusApi(options.prometheusUrl)
  const notes: string[] = []
  let from: number
  try {
    if (!(await waitForScrapes(api, options.scrapeWaitMs))) {
      notes.push(`some targets were not scraped within ${options.scrapeWaitMs / 1_000} s before the run`)
    }
    from = await api.now()
  } catch (error) {
    return noCounting(`Prometheus at ${options.prometheusUrl} does not answer: ${describe(error)}`)
  }

  const end = async () => {
    try {
      if (!(await waitForScrapes(api, options.scrapeWaitMs))) {
        notes.push(`some targets were not scraped within ${options.scrapeWaitMs / 1_000} s after the run`)
      }
      const to = await api.now()
      const range = `[${Math.ceil(to - from + lookbackSeconds)}s]`
      const routes = payloadRoutes(options.payloadUrl).map(escapeRegExp).join('|')
      const selector = `{route=~${JSON.stringify(routes)}}${range}`
      const [requests, durations, starts] = await Promise.all([
        api.matrix(`${options.metricsPrefix}http_requests_total${selector}`, to),
        api.matrix(`${options.metricsPrefix}http_request_duration_seconds_sum${selector}`, to),
        api.matrix(`process_start_time_seconds${range}`, to),
      ])
      if (requests.length === 0) {
        return {
          source: null,
          why: `Prometheus at ${options.prometheusUrl} has no ${options.metricsPrefix}http_requests_total for the payload route`,
        }
      }
      const processes = new Map(starts.map((series) => [targetOf(series.labels), series]))
      const increases = (series: Series[]): Increase[] =>
        series.map((each) => ({
          labels: each.labels,
          value: exactIncrease(each, from, processes.get(targetOf(each.labels))),
        }))
      return {
        source: 'Prometheus',
        pods: toViews(increases(requests), increases(durations), podOf),
        notes,
      }
    } catch (error) {
      return { source: null, why: `Prometheus at ${options.prometheusUrl} failed: ${describe(error)}` }
    }
  }
  return { end }
}

/**
 * How much a counter grew after a moment, from raw samples: the sum of its steps, beginning at its last
 * value at or before `from`, or at 0 when it was born later. A step down, or a new process start time,
 * is a counter that began again at 0.
 *
 * @param from Unix seconds
 * @param processStarts `process_start_time_seconds` of the same target: its samples carry the same
 *   times, because one scrape gives one time. Tells a restart that the values alone would hide (8 of the
 *   old process, then already 9 of the new one). Without it only steps down are seen
 * @example exactIncrease({ labels: {}, samples: [[0, 5], [10, 8], [20, 2]] }, 0, undefined) // 3 + 2 = 5
 */
export function exactIncrease(series: Series, from: number, processStarts: Series | undefined): number {
  const startAt = new Map(processStarts?.samples)
  let increase = 0
  let previous: [number, number] | undefined
  for (const sample of series.samples) {
    const [time, value] = sample
    if (time > from) {
      const before = previous ?? [time, 0]
      const [startedNow, startedThen] = [startAt.get(time), startAt.get(before[0])]
      const newProcess = startedNow !== undefined && startedThen !== undefined && startedNow !== startedThen
      const restarted = newProcess || value < before[1]
      increase += restarted ? value : value - before[1]
    }
    previous = sample
  }
  return increase
}

/** The scrape configuration names the instance as `pod`, like X-Served-By; `instance` is host:port. */
function podOf(labels: Record<string, string>): string {
  return labels.pod ?? labels.instance ?? '(no pod label)'
}

function targetOf(labels: Record<string, string>): string {
  return [labels.job, labels.instance, labels.pod].join(' ')
}

/** True when every target was scraped since now, by Prometheus's own clock. */
async function waitForScrapes(api: PrometheusApi, waitMs: number): Promise<boolean> {
  const now = await api.now()
  const deadline = Date.now() + waitMs
  for (;;) {
    const scrapes = await api.vector('timestamp(up)')
    // A scrape that began before `now` may have read the counters before the last request, and its
    // time is when it began.
    if (scrapes.every((time) => time >= now)) return true
    if (Date.now() > deadline) return false
    await Bun.sleep(100)
  }
}

/** The three questions that are asked of Prometheus's HTTP API v1. */
class PrometheusApi {
  constructor(private readonly url: string) {}

  /** Prometheus's clock in Unix seconds: the clock of its samples, which may not be ours. */
  async now(): Promise<number> {
    const result = await this.query('time()')
    const value = Array.isArray(result) ? Number(result[1]) : Number.NaN
    if (!Number.isFinite(value)) throw new Error('no time in its answer')
    return value
  }

  /** The values of an instant vector. */
  async vector(query: string): Promise<number[]> {
    const result = await this.query(query)
    if (!Array.isArray(result)) throw new Error('no vector in its answer')
    return result.map((each: { value: [number, string] }) => Number(each.value[1]))
  }

  /** The raw samples of a range selector that ends at `time`. */
  async matrix(query: string, time: number): Promise<Series[]> {
    const result = await this.query(query, time)
    if (!Array.isArray(result)) throw new Error('no matrix in its answer')
    return result.map((each: { metric: Record<string, string>; values: [number, string][] }) => ({
      labels: each.metric,
      samples: each.values.map(([at, value]): [number, number] => [at, Number(value)]),
    }))
  }

  private async query(query: string, time?: number): Promise<unknown> {
    const body = new URLSearchParams({ query, ...(time === undefined ? {} : { time: String(time) }) })
    const response = await fetch(`${this.url}/api/v1/query`, {
      method: 'POST',
      body,
      signal: AbortSignal.timeout(10_000),
    })
    const answer = (await response.json()) as { status?: string; error?: string; data?: { result?: unknown } }
    if (answer.status !== 'success') throw new Error(answer.error ?? `status ${response.status}`)
    return answer.data?.result
  }
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
