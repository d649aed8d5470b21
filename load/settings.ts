/**
 * The settings of a load run. Both the k6 scripts and run.ts read them, so this file uses neither k6 nor Bun (k6 has no
 * `URL`). The names SERVICE_URL … DEBUG are fixed, because existing scripts set them.
 */

import { type Size, sizes } from './payloads.ts'

const connections = ['reuse', 'no-reuse', 'mixed'] as const
/** Reuse connections, open one for each request, or half of the users each way. */
type Connection = (typeof connections)[number]

export type Settings = {
  payloadUrl: string
  healthUrl: string
  /** The /metrics of each instance, for a run without Prometheus. */
  metricsUrls: string[]
  /** True if METRICS_ENDPOINT is unset: metricsUrls then has one URL, which may be a balancer. */
  metricsUrlsGuessed: boolean
  prometheusUrl: string | null
  requests: number
  /** Concurrent users; in profiles with a rate, the initial number. Null: derived from the rate. */
  concurrency: number | null
  connectTimeoutMs: number
  readTimeoutMs: number
  connection: Connection
  size: Size
  ratePerSecond: number
  durationSeconds: number
  thinkTimeSeconds: number
  seed: number
  metricsPrefix: string
  /** How long to wait, before and after the run, until Prometheus has scraped every target. */
  scrapeWaitMs: number
  /** Fail the run if the sum over the instances differs from the number of answered requests. */
  requireSum: boolean
  /** Fail the run if more requests than this are refused before sending. */
  refusedMax: number
  debug: boolean
  /** Sent as X-API-Key, unless null. */
  apiKey: string | null
}

/** All problems of an environment. */
export class SettingsError extends Error {
  override name = 'SettingsError'
  readonly problems: string[]
  constructor(problems: string[]) {
    super(problems.join('\n'))
    this.problems = problems
  }
}

/**
 * Parses the settings; an empty value counts as unset.
 *
 * @param env names and values, from the process or from k6's `__ENV`
 * @param defaults a profile's values for names that `env` does not set
 * @throws SettingsError naming every invalid value and the valid ones
 * @example parseSettings({ KUBE_HOST: '10.0.0.7' }, {}).payloadUrl // 'http://10.0.0.7:8000/payload'
 */
export function parseSettings(
  env: Record<string, string | undefined>,
  defaults: Record<string, string>,
): Settings {
  const problems: string[] = []
  const text = (name: string): string => env[name]?.trim() || defaults[name] || ''

  const url = (name: string, fallback: string): string => {
    const value = (text(name) || fallback).replace(/\/+$/, '')
    if (!/^https?:\/\/[^\s/?#]+/.test(value)) {
      problems.push(`${name}=${value}: must be a URL such as http://127.0.0.1:8000`)
    }
    return value
  }
  const endpoint = (name: string, value: string): string => {
    if (/^https?:\/\/[^\s/?#]+/.test(value)) return value
    if (/^\/\S*$/.test(value)) return serviceUrl + value
    problems.push(`${name}=${value}: must be a path such as /health or a URL`)
    return serviceUrl
  }
  const whole = (name: string, fallback: number, least: number, most: number): number => {
    const value = text(name) || String(fallback)
    const parsed = Number(value)
    if (/^\d+$/.test(value) && parsed >= least && parsed <= most) return parsed
    problems.push(`${name}=${value}: must be a whole number from ${least} to ${most}`)
    return fallback
  }
  const seconds = (name: string, fallback: number): number => {
    const value = text(name) || String(fallback)
    const parsed = parseSeconds(value)
    if (parsed !== null) return parsed
    problems.push(
      `${name}=${value}: must be a duration such as 30, 500ms, 30s, 5m or 1h (a bare number is seconds)`,
    )
    return fallback
  }
  const oneOf = <T extends string>(name: string, allowed: readonly T[], fallback: T): T => {
    const value = text(name) || fallback
    const found = allowed.find((each) => each === value)
    if (found !== undefined) return found
    problems.push(`${name}=${value}: must be one of ${allowed.join(', ')}`)
    return fallback
  }
  const yes = (name: string): boolean => {
    const value = text(name).toLowerCase()
    if (['1', 'true', 'yes'].includes(value)) return true
    if (!['', '0', 'false', 'no'].includes(value)) problems.push(`${name}=${value}: must be 1 or 0`)
    return false
  }
  const positive = (name: string, value: number): number => {
    if (value <= 0) problems.push(`${name}: must be above 0`)
    return value
  }

  const kubeHost = text('KUBE_HOST')
  const serviceUrl = url('SERVICE_URL', `http://${kubeHost || '127.0.0.1'}:8000`)
  const prometheusGiven = text('PROMETHEUS_URL') !== '' || kubeHost !== ''
  const metricsGiven = text('METRICS_ENDPOINT')
  const settings: Settings = {
    payloadUrl: endpoint('PAYLOAD_ENDPOINT', text('PAYLOAD_ENDPOINT') || '/payload'),
    healthUrl: endpoint('HEALTH_ENDPOINT', text('HEALTH_ENDPOINT') || '/health'),
    metricsUrls: (metricsGiven || '/metrics')
      .split(',')
      .map((each) => endpoint('METRICS_ENDPOINT', each.trim())),
    metricsUrlsGuessed: metricsGiven === '',
    prometheusUrl: prometheusGiven ? url('PROMETHEUS_URL', `http://${kubeHost}:9090`) : null,
    requests: whole('N_REQUESTS', 5_000, 1, 100_000_000),
    concurrency: text('CONCURRENCY') === '' ? null : whole('CONCURRENCY', 3, 1, 10_000),
    connectTimeoutMs: positive('CONNECT_TIMEOUT', seconds('CONNECT_TIMEOUT', 3) * 1_000),
    readTimeoutMs: positive('READ_TIMEOUT', seconds('READ_TIMEOUT', 30) * 1_000),
    connection: oneOf('CONNECTION', connections, 'reuse'),
    size: oneOf('SIZE', sizes, 'small'),
    ratePerSecond: whole('RATE', 200, 1, 100_000),
    durationSeconds: positive('DURATION', seconds('DURATION', 60)),
    thinkTimeSeconds: seconds('THINK_TIME', 0),
    seed: whole('SEED', 1, 0, 2_147_483_647),
    metricsPrefix: env.METRICS_PREFIX ?? 'api_',
    scrapeWaitMs: seconds('SCRAPE_WAIT', 20) * 1_000,
    requireSum: yes('REQUIRE_SUM'),
    refusedMax: whole('REFUSED_MAX', 0, 0, 100_000_000),
    debug: yes('DEBUG'),
    apiKey: text('API_KEY') || null,
  }
  if (problems.length > 0) throw new SettingsError(problems)
  return settings
}

/**
 * Parses a duration, a bare number of seconds or a number with a unit, to seconds. Null if it is invalid.
 *
 * @example parseSeconds('500ms') // 0.5
 * @example parseSeconds('2m') // 120
 */
function parseSeconds(value: string): number | null {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(value)
  if (!match) return null
  const factors: Record<string, number> = { ms: 0.001, s: 1, m: 60, h: 3_600 }
  return Number(match[1]) * (factors[match[2] ?? 's'] ?? 1)
}
