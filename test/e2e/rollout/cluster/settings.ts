import { parseSettings, type Settings } from '../../../../load/settings.ts'

/** The parts of the test, in order. */
export const parts = [
  'conformance',
  'rollouts',
  'guards',
  'outages',
  'autoscaling',
  'helm',
  'controls',
  'argo',
  'gateway',
] as const
export type Part = (typeof parts)[number]
export const helmVersions = ['3', '4'] as const
export type HelmVersion = (typeof helmVersions)[number]

export interface ClusterSettings {
  /** The first image, and the one to change to. */
  readonly image: string
  readonly nextImage: string
  /** Command that loads an image onto the nodes, with the image as its last argument; null: the nodes pull. */
  readonly imageLoad: readonly string[] | null
  /** Directory of the kustomize overlay, and the namespace that it deploys to. */
  readonly overlay: string
  readonly namespace: string
  readonly parts: readonly Part[]
  /** Where Prometheus runs: as the overlay has it, or on this machine, which must be a node of the cluster. */
  readonly prometheus: 'cluster' | 'machine'
  readonly connections: readonly Settings['connection'][]
  /** Requests of the load before the disruptions, sent as fast as possible. */
  readonly requests: number
  /** Requests per second during the disruptions. */
  readonly rate: number
  /** Users that share the rate. Each has a connection that is idle between its requests. */
  readonly users: number
  /** Duration of each load with all disruptions. */
  readonly seconds: number
  /** The minimum total of the rollouts; with less, the test proves too little. */
  readonly stopsMin: number
  readonly requestsMin: number
  /** The major versions of Helm that install the chart. */
  readonly helmVersions: readonly HelmVersion[]
  /** Whether to leave everything in the cluster at the end. */
  readonly keep: boolean
  readonly reportDirectory: string
}

/**
 * Reads the settings of `make cluster-test`.
 *
 * @throws Error naming the invalid variable
 * @example readClusterSettings({ IMAGE: 'tally:1', NEXT_IMAGE: 'tally:2', QUICK: '1' }).connections // ['mixed']
 */
export function readClusterSettings(env: Readonly<Record<string, string | undefined>>): ClusterSettings {
  const quick = env.QUICK === '1' || env.QUICK === 'true'
  const required = (name: string): string => {
    const value = env[name]
    if (!value) throw new Error(`${name} must name an image; see docs/cluster-test.md`)
    return value
  }
  const whole = (name: string, fallback: number): number => {
    const value = env[name] || String(fallback)
    if (!/^\d+$/.test(value)) throw new Error(`${name} must be a whole number`)
    return Number(value)
  }
  const list = (name: string, fallback: string): string[] => (env[name] || fallback).split(',')
  const chosen = <T extends string>(name: string, fallback: string, of: readonly T[]): T[] =>
    list(name, fallback).map((entry) => {
      const known = of.find((each) => each === entry)
      if (known === undefined) throw new Error(`${name} must be of ${of.join(', ')}`)
      return known
    })
  const rate = whole('RATE', quick ? 100 : 220)
  const prometheus = env.PROMETHEUS || 'cluster'
  if (prometheus !== 'cluster' && prometheus !== 'machine')
    throw new Error('PROMETHEUS must be cluster or machine')
  return {
    image: required('IMAGE'),
    nextImage: required('NEXT_IMAGE'),
    imageLoad: env.IMAGE_LOAD ? env.IMAGE_LOAD.split(' ') : null,
    overlay: env.OVERLAY || 'k8s/overlays/loadtest',
    namespace: env.NAMESPACE || 'tally-loadtest',
    parts: chosen('PARTS', quick ? 'conformance,rollouts,guards' : parts.join(','), parts),
    prometheus,
    connections: list('CONNECTIONS', quick ? 'mixed' : 'reuse,no-reuse,mixed').map(
      // The load's own parser checks these values.
      (connection) => parseSettings({ CONNECTION: connection }, {}).connection,
    ),
    requests: whole('N_REQUESTS', 5_000),
    rate,
    users: whole('CONCURRENCY', Math.ceil(rate / 4)),
    seconds: parseSettings({ DURATION: env.DURATION || (quick ? '270s' : '340s') }, {}).durationSeconds,
    stopsMin: whole('STOPS_MIN', quick ? 0 : 100),
    requestsMin: whole('REQUESTS_MIN', quick ? 0 : 200_000),
    helmVersions: chosen('HELM_VERSIONS', helmVersions.join(','), helmVersions),
    keep: env.KEEP === '1',
    reportDirectory: env.REPORT_DIR || 'reports/cluster',
  }
}
