/** The service under test, and what the suite may use of it. */
export interface ConformanceSettings {
  /** Without a trailing slash; includes the service's base path, if any. */
  readonly baseUrl: string
  /** Sent as `X-API-Key`. */
  readonly apiKey: string | undefined
  /** Sent as a bearer token (JWT). */
  readonly token: string | undefined
  readonly adminToken: string | undefined
  readonly metricsToken: string | undefined
  /** The URL of the metrics. Undefined: `/metrics` of `baseUrl`, if it exists. */
  readonly metricsUrl: string | undefined
  /** The prefix of the application metrics. */
  readonly metricsPrefix: string
  /** The address of a separate worker's probes. */
  readonly workerUrl: string | undefined
  /** False: nothing runs tasks, so they are not expected to complete. */
  readonly hasWorker: boolean
  /** Whether to accept self-signed certificates. */
  readonly insecure: boolean
}

/**
 * Reads the settings from the environment.
 *
 * @throws Error naming a missing or invalid variable
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
