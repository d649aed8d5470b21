/**
 * The service's own count of `/payload` requests during a run, by instance. The report compares it with the client's
 * count.
 */

/** One instance's own count for the run. */
export type ServiceView = {
  requests: number
  /** Responses with a status of 400 or above. */
  errors: number
  /** From the instance's own histogram; NaN if it served no request. */
  avgSeconds: number
}

export type ServiceCounts =
  | { source: string; pods: Map<string, ServiceView>; notes: string[] }
  | { source: null; why: string }

/** A count that starts before the first request; `end`, after the last, takes the names of the instances seen. */
export type Counting = { end: (instancesSeen: string[]) => Promise<ServiceCounts> }

/** A counting without a source, with the reason. */
export function noCounting(why: string): Counting {
  return { end: async () => ({ source: null, why }) }
}

/** One time series of a counter: its labels, and its increase during the run. */
export type Increase = { labels: Record<string, string>; value: number }

/**
 * Aggregates counter increases by instance.
 *
 * @param podOf returns the instance's name from the labels of a series
 */
export function toViews(
  requests: Increase[],
  durationSums: Increase[],
  podOf: (labels: Record<string, string>) => string,
): Map<string, ServiceView> {
  const totals = new Map<string, { requests: number; errors: number; seconds: number }>()
  const of = (labels: Record<string, string>) => {
    const name = podOf(labels)
    const total = totals.get(name) ?? { requests: 0, errors: 0, seconds: 0 }
    totals.set(name, total)
    return total
  }
  for (const { labels, value } of requests) {
    const total = of(labels)
    total.requests += value
    if (Number(labels.status) >= 400) total.errors += value
  }
  for (const { labels, value } of durationSums) of(labels).seconds += value
  return new Map(
    [...totals]
      .filter(([, { requests: count }]) => count > 0)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, { requests: count, errors, seconds }]) => [
        name,
        { requests: count, errors, avgSeconds: seconds / count },
      ]),
  )
}

/** The routes of the payload endpoint: the documented ones and the one in use. */
export function payloadRoutes(payloadUrl: string): string[] {
  return [...new Set(['/payload', '/v1/payload', new URL(payloadUrl).pathname])]
}
