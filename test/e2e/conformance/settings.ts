/** What the suite is run against, and what its owner lets it use. */
export interface ConformanceSettings {
  /** Without a slash at its end; with the base path, where the service has one. */
  readonly baseUrl: string
  /** Sent as `X-API-Key`. */
  readonly apiKey: string | undefined
  /** Sent as a bearer token (JWT). */
  readonly token: string | undefined
  readonly adminToken: string | undefined
  readonly metricsToken: string | undefined
  /** Where the metrics are; undefined: at `/metrics` of `baseUrl`, if they are there. */
  readonly metricsUrl: string | undefined
  /** The prefix of the service's own metrics. */
  readonly metricsPrefix: string
  /** Where a separate worker answers its probes. */
  readonly workerUrl: string | undefined
  /** False: nothing runs the tasks, so none is expected to complete. */
  readonly hasWorker: boolean
  /** Whether a certificate that no authority signed is good enough. */
  readonly insecure: boolean
}

/**
 * Reads the settings from the environment.
 *
 * @throws Error naming the variable that is missing or wrong
 * @example readConformanceSettings({ BASE_URL: 'http://localhost:8000/' }).baseUrl // 'http://localhost:8000'
 */
export function readConformanceSettings(
  env: Readonly<Record<string, string | undefined>>,
): ConformanceSettings {
  const text = (name: string): string | undefined => env[name] || undefined
  const url = (name: string): string | undefined => {
    const value = text(name)
    if (value === undefined) return undefined
    if (!/^https?:$/.test(URL.parse(value)?.protocol ?? ''))
      throw new Error(`${name} must be an http or https URL`)
    return value.replace(/\/+$/, '')
  }
  const baseUrl = url('BASE_URL')
  if (baseUrl === undefined)
    throw new Error(
      'BASE_URL is required: the conformance suite needs a running service. ' +
        'Use make conformance BASE_URL=http://127.0.0.1:8000',
    )
  if (env.WORKER && env.WORKER !== 'off' && env.WORKER !== 'embedded')
    throw new Error('WORKER must be embedded or off')
  return {
    baseUrl,
    apiKey: text('API_KEY'),
    token: text('TOKEN'),
    adminToken: text('ADMIN_TOKEN'),
    metricsToken: text('METRICS_TOKEN'),
    metricsUrl: url('METRICS_URL'),
    metricsPrefix: env.METRICS_PREFIX ?? 'api_',
    workerUrl: url('WORKER_URL'),
    hasWorker: env.WORKER !== 'off',
    insecure: /^(1|true)$/i.test(env.INSECURE ?? ''),
  }
}
