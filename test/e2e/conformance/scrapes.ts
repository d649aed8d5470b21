import { type Answer, send, settings, urlOf } from './service.ts'

/** One scrape of one instance. */
export interface Scrape {
  /** The instance that answered. */
  readonly instance: string
  /** Type of each metric, by name. */
  readonly types: ReadonlyMap<string, string>
  readonly series: readonly Series[]
}

export interface Series {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export const metricsUrl =
  settings.metricsUrl === undefined
    ? urlOf('/metrics')
    : // The address of the port is enough.
      settings.metricsUrl.replace(/(?<=^https?:\/\/[^/]+)$/, '/metrics')

/** On a new connection, a request may reach any of several instances. */
export const anyInstance = { connection: 'close' }

/** Requests the metrics, with the scraper's token if the settings have one. */
export function askForMetrics(method = 'GET', url = metricsUrl): Promise<Answer> {
  const { metricsToken } = settings
  return send(method, url, {
    credentials: false,
    headers: {
      ...anyInstance,
      ...(metricsToken !== undefined && { authorization: `Bearer ${metricsToken}` }),
    },
  })
}

/** @throws Error if the metrics are unavailable */
export async function scrape(url = metricsUrl): Promise<Scrape> {
  const { status, headers, text } = await askForMetrics('GET', url)
  if (status !== 200) throw new Error(`GET ${url} answered ${status}`)
  return { instance: headers.get('x-served-by') ?? '', ...parseExposition(text) }
}

/**
 * Parses the Prometheus text format.
 *
 * @throws Error with the first invalid line
 */
export function parseExposition(text: string): Pick<Scrape, 'types' | 'series'> {
  const types = new Map<string, string>()
  const series: Series[] = []
  for (const line of text.split('\n')) {
    const [, typed, type] = /^# TYPE (\S+) (\S+)$/.exec(line) ?? []
    if (typed !== undefined && type !== undefined) types.set(typed, type)
    if (line === '' || line.startsWith('#')) continue
    const [, name, labels = '', value] = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line) ?? []
    if (name === undefined || value === undefined) throw new Error(`not the Prometheus text format: ${line}`)
    const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, text]) => [key, text])
    series.push({
      name,
      labels: Object.fromEntries(pairs),
      value: value === '+Inf' ? Number.POSITIVE_INFINITY : Number(value),
    })
  }
  return { types, series }
}

/** The sum of all series with this name and these labels; 0 without any. */
export function sumOf(
  { series }: Scrape,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  return series
    .filter(
      (one) => one.name === name && Object.entries(labels).every(([key, text]) => one.labels[key] === text),
    )
    .reduce((sum, { value }) => sum + value, 0)
}

/** Rounds of requests and scrapes; two of them must reach the same one of several instances. */
const maxRounds = 100
/** 1 to 4. A fixed number would stay in step with a round-robin balancer. */
const someTimes = (): number => 1 + Math.floor(4 * Math.random())

/**
 * Sends requests until an instance has counted those that it answered. Several instances may take turns, each with its
 * own counters, and other clients' requests count as well. So this compares the counters of one instance between two of
 * its own scrapes: they must grow by at least the number of requests that it answered in between.
 *
 * @param act sends requests that count once each; resolves to the instances that answered them
 * @param count reads the counter of an instance
 * @throws Error if an instance counted fewer than it answered
 */
export async function expectGrowth(
  act: () => Promise<readonly string[]>,
  count: (scrape: Scrape) => number,
): Promise<void> {
  const bases = new Map<string, number>()
  const answered = new Map<string, number>()
  for (let round = 0; round < maxRounds; round++) {
    const now = await scrape()
    const base = bases.get(now.instance)
    const expected = answered.get(now.instance) ?? 0
    if (base === undefined) bases.set(now.instance, count(now))
    else if (expected > 0) {
      const counted = count(now) - base
      if (counted >= expected) return
      throw new Error(`${now.instance} answered ${expected} requests and counted ${counted}`)
    }
    for (let acts = someTimes(); acts > 0; acts--)
      for (const instance of await act())
        if (bases.has(instance)) answered.set(instance, (answered.get(instance) ?? 0) + 1)
  }
  throw new Error(`none of the instances ${[...bases.keys()].join()} of ${metricsUrl} answered a request`)
}

/**
 * Repeats an action until any instance has counted it.
 *
 * @throws Error if no instance counts it
 */
export async function expectSomeGrowth(
  act: () => Promise<unknown>,
  count: (scrape: Scrape) => number,
  url: string,
): Promise<void> {
  const bases = new Map<string, number>()
  for (let round = 0; round < maxRounds; round++) {
    const now = await scrape(url)
    const base = bases.get(now.instance)
    if (base === undefined) bases.set(now.instance, count(now))
    else if (count(now) > base) return
    for (let acts = someTimes(); acts > 0; acts--) await act()
  }
  throw new Error(`none of the instances ${[...bases.keys()].join()} of ${url} counted it`)
}
