import { parseSettings, type Settings } from '../../../../load/settings.ts'

/** What the test is made of, in the order in which it is done. */
export const parts = [
  'conformance',
  'rollouts',
  'guards',
  'outages',
  'autoscaling',
  'helm',
  'controls',
] as const
export type Part = (typeof parts)[number]

export interface ClusterSettings {
  /** The image that is deployed first, and the one it is changed to. */
  readonly image: string
  readonly nextImage: string
  /** Command that brings an image, its last word, to the nodes; null: they pull it themselves. */
  readonly imageLoad: readonly string[] | null
  /** Directory of the kustomize overlay, and the namespace that it deploys to. */
  readonly overlay: string
  readonly namespace: string
  readonly parts: readonly Part[]
  readonly connections: readonly Settings['connection'][]
  /** Requests of the load before the disruptions, as fast as they are answered. */
  readonly requests: number
  /** Requests a second during the disruptions. */
  readonly rate: number
  /** Users that share the rate: each has a connection that rests between its turns. */
  readonly users: number
  /** How long each load with all disruptions runs. */
  readonly seconds: number
  /** What the rollouts must add up to, or they have not shown enough. */
  readonly stopsMin: number
  readonly requestsMin: number
  /** Whether everything is left in the cluster at the end. */
  readonly keep: boolean
  readonly reportDirectory: string
}

/**
 * Reads what `make cluster-test` is given.
 *
 * @throws Error naming the variable that is wrong.
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
  const rate = whole('RATE', quick ? 100 : 220)
  return {
    image: required('IMAGE'),
    nextImage: required('NEXT_IMAGE'),
    imageLoad: env.IMAGE_LOAD ? env.IMAGE_LOAD.split(' ') : null,
    overlay: env.OVERLAY || 'k8s/overlays/loadtest',
    namespace: env.NAMESPACE || 'tally-loadtest',
    parts: list('PARTS', quick ? 'conformance,rollouts,guards' : parts.join(',')).map((name) => {
      const part = parts.find((each) => each === name)
      if (part === undefined) throw new Error(`PARTS must be of ${parts.join(', ')}`)
      return part
    }),
    connections: list('CONNECTIONS', quick ? 'mixed' : 'reuse,no-reuse,mixed').map(
      // The load's own parser checks the values, and reports invalid ones.
      (connection) => parseSettings({ CONNECTION: connection }, {}).connection,
    ),
    requests: whole('N_REQUESTS', 5_000),
    rate,
    users: whole('CONCURRENCY', Math.ceil(rate / 4)),
    seconds: parseSettings({ DURATION: env.DURATION || (quick ? '270s' : '340s') }, {}).durationSeconds,
    stopsMin: whole('STOPS_MIN', quick ? 0 : 100),
    requestsMin: whole('REQUESTS_MIN', quick ? 0 : 200_000),
    keep: env.KEEP === '1',
    reportDirectory: env.REPORT_DIR || 'reports/cluster',
  }
}
