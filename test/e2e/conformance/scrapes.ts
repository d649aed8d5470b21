import { type Answer, send, settings, urlOf } from './service.ts'

/** One scrape of one instance. */
export interface Scrape {
  /** The instance that answered. */
  readonly instance: string
  /** Type of each metric, by its name. */
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
    : // The address of the port alone is enough.
      settings.metricsUrl.replace(/(?<=^https?:\/\/[^/]+)$/, '/metrics')

/** On a connection of its own, a request reaches any of several instances and not always the same one. */
export const anyInstance = { connection: 'close' }

/** Asks for the metrics, with the scraper's token where the settings have one. */
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

/** @throws when the metrics are not to be had */
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

/** The sum of all series of that name with those labels; 0 when there is none yet. */
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

/** Rounds of requests and scrapes, of which two must reach the same one of several instances. */
const maxRounds = 100
/** 1 to 4. A fixed number would keep step with a balancer that takes its instances in turn. */
const someTimes = (): number => 1 + Math.floor(4 * Math.random())

/**
 * Sends requests until an instance has counted those that it answered. Several instances may answer in turn, each with
 * counters of its own, and the requests of others count as well: so one instance's counters are compared between two of
 * its own scrapes, and must have grown by at least as much as it answered in between.
 *
 * @param act sends requests, each of which counts once; resolves to the instances that answered them
 * @param count what an instance has counted
 * @throws Error when an instance counted less than it answered
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
 * Does something until an instance has counted it, whichever that is.
 *
 * @throws Error when none has
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
