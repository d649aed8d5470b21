import { parseExposition, type Sample } from './exposition.ts'
import {
  type Counting,
  type Increase,
  noCounting,
  payloadRoutes,
  type ServiceCounts,
  toViews,
} from './service-side.ts'

/** One instance's counters at one moment. */
type Scrape = { url: string; pod: string; samples: Sample[] }

/**
 * Counts without Prometheus: reads /metrics of each instance before and after the run. This works only for instances
 * that run the whole time. If one stops or restarts, returns that reason instead of a wrong sum.
 *
 * @param guessed the URL is derived from SERVICE_URL, which may be a balancer. The count is then valid only if a single
 *   instance responded.
 */
export async function countWithScrapes(options: {
  metricsUrls: string[]
  guessed: boolean
  payloadUrl: string
  metricsPrefix: string
  timeoutMs: number
}): Promise<Counting> {
  const advice = 'set PROMETHEUS_URL, or METRICS_ENDPOINT to the /metrics of every instance (comma separated)'
  let before: Scrape[]
  try {
    before = await Promise.all(options.metricsUrls.map((url) => scrape(url, options.timeoutMs)))
  } catch (error) {
    return noCounting(`${describe(error)}; ${advice}`)
  }

  const end = async (seen: string[]): Promise<ServiceCounts> => {
    if (options.guessed && seen.length > 1) {
      return {
        source: null,
        why: `${options.metricsUrls[0]} shows one of the ${seen.length} instances behind the balancer; ${advice}`,
      }
    }
    let after: Scrape[]
    try {
      after = await Promise.all(options.metricsUrls.map((url) => scrape(url, options.timeoutMs)))
    } catch (error) {
      return { source: null, why: `an instance ended during the run (${describe(error)}); ${advice}` }
    }
    const requests: Increase[] = []
    const durations: Increase[] = []
    for (const [index, now] of after.entries()) {
      const then = before[index]
      const restarted = { source: null, why: `${now.url} was restarted during the run; ${advice}` } as const
      if (!then || startOf(then) !== startOf(now)) return restarted
      // A single instance without X-Served-By in /metrics is the one that the payload responses name.
      const pod = now.pod !== '' ? now.pod : options.guessed && seen[0] ? seen[0] : new URL(now.url).host
      const prefix = `${options.metricsPrefix}http_request`
      const routes = payloadRoutes(options.payloadUrl)
      const counted = increases(then, now, `${prefix}s_total`, routes, pod)
      if (counted.some(({ value }) => value < 0)) return restarted
      requests.push(...counted)
      durations.push(...increases(then, now, `${prefix}_duration_seconds_sum`, routes, pod))
    }
    const pods = toViews(requests, durations, (labels) => labels.pod ?? '')
    if (pods.size === 0) {
      return {
        source: null,
        why: `${options.metricsPrefix}http_requests_total did not increase for the payload route`,
      }
    }
    return { source: '/metrics', pods, notes: [] }
  }
  return { end }
}

async function scrape(url: string, timeoutMs: number): Promise<Scrape> {
  const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) }).catch((error: unknown) => {
    throw new Error(`${url} does not respond: ${describe(error)}`)
  })
  const text = await response.text()
  if (response.status !== 200) throw new Error(`${url} returned ${response.status}`)
  return { url, pod: response.headers.get('X-Served-By') ?? '', samples: parseExposition(text) }
}

function startOf(scrape: Scrape): number | undefined {
  return scrape.samples.find(({ name }) => name === 'process_start_time_seconds')?.value
}

function increases(before: Scrape, after: Scrape, name: string, routes: string[], pod: string): Increase[] {
  const select = (scrape: Scrape) =>
    scrape.samples.filter((each) => each.name === name && routes.includes(each.labels.route ?? ''))
  const old = new Map(select(before).map((each) => [JSON.stringify(each.labels), each.value]))
  return select(after).map(({ labels, value }) => ({
    labels: { ...labels, pod },
    value: value - (old.get(JSON.stringify(labels)) ?? 0),
  }))
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
