import { type Counting, type Increase, noCounting, payloadRoutes, toViews } from './service-side.ts'

/** Raw samples of one Prometheus series, [Unix seconds, value], in order of time. */
export type Series = { labels: Record<string, string>; samples: [number, number][] }

/** How far before the run to look for a last sample: longer than any usual scrape interval. */
const lookbackSeconds = 300

/**
 * Counts requests through Prometheus. Uses raw samples for an exact count, because `increase()` extrapolates to the
 * edges of its range and returns fractions. Includes stopped instances, whose samples remain.
 *
 * Waits before and after the run until every target has been scraped once more, so that the count includes every
 * request of the run and no earlier one. Scrapes miss the requests between an instance's last scrape and its end: none
 * after a drained stop, up to one scrape interval after a kill.
 *
 * @param scrapeWaitMs time limit for those scrapes; longer than the scrape interval
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
      notes.push(`not all targets were scraped within ${options.scrapeWaitMs / 1_000} s before the run`)
    }
    from = await api.now()
  } catch (error) {
    return noCounting(`Prometheus at ${options.prometheusUrl} does not respond: ${describe(error)}`)
  }

  const end = async () => {
    try {
      if (!(await waitForScrapes(api, options.scrapeWaitMs))) {
        notes.push(`not all targets were scraped within ${options.scrapeWaitMs / 1_000} s after the run`)
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
 * The exact increase of a counter after `from`, from raw samples: the sum of its steps, starting at its last value at or
 * before `from`, or at 0 if the series is newer. A step down or a new process start time is a restart from 0.
 *
 * @param from Unix seconds
 * @param processStarts `process_start_time_seconds` of the same target. Its samples have the same timestamps, because
 *   they come from the same scrapes. Reveals a restart that the values hide (8 from the old process, then 9 from the
 *   new one). Without it, only steps down count as restarts.
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

/** The instance name: the scrape configuration sets `pod` to the value of X-Served-By; `instance` is host:port. */
function podOf(labels: Record<string, string>): string {
  return labels.pod ?? labels.instance ?? '(no pod label)'
}

function targetOf(labels: Record<string, string>): string {
  return [labels.job, labels.instance, labels.pod].join(' ')
}

/** Waits until every target has been scraped after this moment, by Prometheus's clock. False on timeout. */
async function waitForScrapes(api: PrometheusApi, waitMs: number): Promise<boolean> {
  const now = await api.now()
  const deadline = Date.now() + waitMs
  for (;;) {
    const scrapes = await api.vector('timestamp(up)')
    // The timestamp of a scrape is its start. A scrape that started before `now` may miss the last request.
    if (scrapes.every((time) => time >= now)) return true
    if (Date.now() > deadline) return false
    await Bun.sleep(100)
  }
}

/** The three queries to Prometheus's HTTP API v1. */
class PrometheusApi {
  constructor(private readonly url: string) {}

  /** Prometheus's clock in Unix seconds, the clock of its samples. It may differ from ours. */
  async now(): Promise<number> {
    const result = await this.query('time()')
    const value = Array.isArray(result) ? Number(result[1]) : Number.NaN
    if (!Number.isFinite(value)) throw new Error('no time in the response')
    return value
  }

  /** The values of an instant vector. */
  async vector(query: string): Promise<number[]> {
    const result = await this.query(query)
    if (!Array.isArray(result)) throw new Error('no vector in the response')
    return result.map((each: { value: [number, string] }) => Number(each.value[1]))
  }

  /** The raw samples of a range selector that ends at `time`. */
  async matrix(query: string, time: number): Promise<Series[]> {
    const result = await this.query(query, time)
    if (!Array.isArray(result)) throw new Error('no matrix in the response')
    return result.map((each: { metric: Record<string, string>; values: [number, string][] }) => ({
      labels: each.metric,
      samples: each.values.map(([at, value]): [number, number] => [at, Number(value)]),
    }))
  }

  private async query(query: string, time?: number): Promise<unknown> {
    const parameters = new URLSearchParams({ query, ...(time === undefined ? {} : { time: String(time) }) })
    const response = await fetch(`${this.url}/api/v1/query`, {
      method: 'POST',
      body: parameters,
      signal: AbortSignal.timeout(10_000),
    })
    const body = (await response.json()) as { status?: string; error?: string; data?: { result?: unknown } }
    if (body.status !== 'success') throw new Error(body.error ?? `status ${response.status}`)
    return body.data?.result
  }
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
