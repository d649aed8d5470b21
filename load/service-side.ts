/**
 * The service's own count of `/payload` requests during a run, by instance: the other side of the
 * check that the numbers add up.
 */

/** What one instance says it did during the run. */
export type ServiceView = {
  requests: number
  /** Answers with a status of 400 or above. */
  errors: number
  /** By the instance's own histogram; NaN when it served nothing. */
  avgSeconds: number
}

export type ServiceCounts =
  | { source: string; pods: Map<string, ServiceView>; notes: string[] }
  | { source: null; why: string }

/** Begun before the first request, ended after the last with the names of the instances that answered. */
export type Counting = { end: (instancesSeen: string[]) => Promise<ServiceCounts> }

/** A counting that has nothing to count with, and says why. */
export function noCounting(why: string): Counting {
  return { end: async () => ({ source: null, why }) }
}

/** One time series of a counter: its labels, and its increase during the run. */
export type Increase = { labels: Record<string, string>; value: number }

/**
 * The views of the instances from the increases of their counters.
 *
 * @param podOf the instance's name from the labels of a series
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

/** The routes that count as the payload endpoint: the documented ones and the one in use. */
export function payloadRoutes(payloadUrl: string): string[] {
  return [...new Set(['/payload', '/v1/payload', new URL(payloadUrl).pathname])]
}
