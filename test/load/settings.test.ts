import { describe, expect, test } from 'bun:test'
import { defaultsOf, optionsOf, profileNames } from '../../load/profiles.ts'
import { parseSettings, SettingsError } from '../../load/settings.ts'

function problemsOf(env: Record<string, string>): string[] {
  try {
    parseSettings(env, {})
  } catch (error) {
    if (error instanceof SettingsError) return error.problems
    throw error
  }
  return []
}

describe('parseSettings', () => {
  test('defaults to 5000 requests to this machine, timeouts of 3 s and 30 s, no Prometheus', () => {
    expect(parseSettings({}, {})).toMatchObject({
      payloadUrl: 'http://127.0.0.1:8000/payload',
      healthUrl: 'http://127.0.0.1:8000/health',
      metricsUrls: ['http://127.0.0.1:8000/metrics'],
      metricsUrlsGuessed: true,
      prometheusUrl: null,
      requests: 5_000,
      connectTimeoutMs: 3_000,
      readTimeoutMs: 30_000,
      connection: 'reuse',
    })
  })

  test('KUBE_HOST sets the service and Prometheus; SERVICE_URL and PROMETHEUS_URL override it', () => {
    expect(parseSettings({ KUBE_HOST: '10.0.0.7' }, {})).toMatchObject({
      payloadUrl: 'http://10.0.0.7:8000/payload',
      prometheusUrl: 'http://10.0.0.7:9090',
    })
    const env = { KUBE_HOST: '10.0.0.7', SERVICE_URL: 'https://a.example/', PROMETHEUS_URL: 'http://p:9' }
    expect(parseSettings(env, {})).toMatchObject({
      payloadUrl: 'https://a.example/payload',
      prometheusUrl: 'http://p:9',
    })
  })

  test('endpoints are paths or URLs; METRICS_ENDPOINT takes several', () => {
    const env = {
      PAYLOAD_ENDPOINT: '/v1/payload',
      METRICS_ENDPOINT: 'http://a:1/metrics, http://b:2/metrics',
    }
    expect(parseSettings(env, {})).toMatchObject({
      payloadUrl: 'http://127.0.0.1:8000/v1/payload',
      metricsUrls: ['http://a:1/metrics', 'http://b:2/metrics'],
      metricsUrlsGuessed: false,
    })
  })

  test('the environment overrides profile defaults, and an empty value counts as unset', () => {
    const defaults = { RATE: '500', DURATION: '2m' }
    expect(parseSettings({ RATE: '50', DURATION: '' }, defaults)).toMatchObject({
      ratePerSecond: 50,
      durationSeconds: 120,
    })
  })

  test('METRICS_PREFIX may be empty', () => {
    expect(parseSettings({ METRICS_PREFIX: '' }, {}).metricsPrefix).toBe('')
  })

  test.each([
    [{ SERVICE_URL: 'localhost:8000' }, 'SERVICE_URL=localhost:8000: must be a URL'],
    [{ PAYLOAD_ENDPOINT: 'payload' }, 'PAYLOAD_ENDPOINT=payload: must be a path'],
    [{ N_REQUESTS: '0' }, 'N_REQUESTS=0: must be a whole number from 1'],
    [{ N_REQUESTS: '5e3' }, 'N_REQUESTS=5e3: must be a whole number'],
    [{ CONCURRENCY: 'many' }, 'CONCURRENCY=many: must be a whole number'],
    [{ READ_TIMEOUT: '30 seconds' }, 'READ_TIMEOUT=30 seconds: must be a duration'],
    [{ READ_TIMEOUT: '0' }, 'READ_TIMEOUT: must be above 0'],
    [{ CONNECTION: 'keep' }, 'CONNECTION=keep: must be one of reuse, no-reuse, mixed'],
    [{ SIZE: 'huge' }, 'SIZE=huge: must be one of small, medium, 1mb, 10mb'],
    [{ DEBUG: 'loud' }, 'DEBUG=loud: must be 1 or 0'],
  ])('rejects %o and names valid values', (env, message) => {
    expect(problemsOf(env)).toEqual([expect.stringContaining(message)])
  })

  test('reports all problems at once', () => {
    expect(problemsOf({ N_REQUESTS: 'x', RATE: 'y', SIZE: 'z' })).toHaveLength(3)
  })
})

describe('profiles', () => {
  test.each(profileNames)('%s fails on a lost request and aborts no request at its end', (name) => {
    const settings = parseSettings({ READ_TIMEOUT: '30' }, defaultsOf(name))
    const options = optionsOf(name, settings)
    expect(options.thresholds?.requests_lost).toEqual(['count==0'])
    for (const scenario of Object.values(options.scenarios ?? {})) {
      expect(Number.parseInt(scenario.gracefulStop ?? '', 10)).toBeGreaterThan(30)
    }
  })

  test('load shares 5000 requests among 3 users by default', () => {
    expect(optionsOf('load', parseSettings({}, defaultsOf('load'))).scenarios?.load).toMatchObject({
      executor: 'shared-iterations',
      vus: 3,
      iterations: 5_000,
    })
  })

  test('CONNECTION=no-reuse opens a connection for each request', () => {
    const options = optionsOf('rollout', parseSettings({ CONNECTION: 'no-reuse' }, defaultsOf('rollout')))
    expect(options.noConnectionReuse).toBe(true)
  })
})
