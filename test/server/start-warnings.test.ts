import { describe, expect, test } from 'bun:test'
import { parseConfig, variableNames } from '../../src/config.ts'
import { findMisspelled, findStartWarnings } from '../../src/server/start-warnings.ts'

describe('a misspelled variable', () => {
  for (const [variable, meant] of [
    ['DATABASE_URI', 'DATABASE_URL'],
    ['DATABSE_URL', 'DATABASE_URL'],
    ['RATELIMIT', 'RATE_LIMIT'],
    ['rate_limit', 'RATE_LIMIT'],
    ['REDIS_URI', 'REDIS_URL'],
    ['API_KEY', 'API_KEYS'],
    ['LOGLEVEL', 'LOG_LEVEL'],
    ['TRUSTED_PROXY', undefined],
    ['SHUTDOWN_TIME_OUT', 'SHUTDOWN_TIMEOUT'],
    ['METRICS_PROT', 'METRICS_PORT'],
  ] as const)
    test(`${variable} is ${meant === undefined ? 'not reported' : `reported as ${meant}`}`, () => {
      expect(findMisspelled({ [variable]: 'x' })).toEqual(meant === undefined ? [] : [{ variable, meant }])
    })

  test('is not reported if the correct one is set', () => {
    expect(findMisspelled({ DATABASE_URI: 'x', DATABASE_URL: 'sqlite:a.db' })).toEqual([])
  })
})

test('no variable of ours, of OpenTelemetry, of Kubernetes or of a shell is reported', () => {
  const others = [
    'OTEL_EXPORTER_OTLP_ENDPOINT',
    'OTEL_SERVICE_NAME',
    'OTEL_TRACES_EXPORTER',
    'KUBERNETES_SERVICE_HOST',
    'REDIS_PORT',
    'REDIS_SERVICE_HOST',
    'API_PORT_8000_TCP_ADDR',
    'HOME',
    'HOSTNAME',
    'LOGNAME',
    'PATH',
    'PWD',
    'SHELL',
    'TERM',
    'USER',
    'NODE_ENV',
    'TZ',
    'LANG',
  ]
  const env = Object.fromEntries([...variableNames, ...others].map((name) => [name, 'x']))
  expect(findMisspelled(env)).toEqual([])
  expect(findMisspelled(Object.fromEntries(others.map((name) => [name, 'x'])))).toEqual([])
})

describe('production', () => {
  const warnings = (env: Record<string, string>, role: 'server' | 'worker' = 'server') => {
    const parsed = parseConfig({ ENVIRONMENT: 'production', ...env })
    if (!parsed.ok) throw new Error(parsed.problems.join('; '))
    return findStartWarnings(env, parsed.config, role).map(({ fields }) => fields)
  }
  const postgres = 'postgres://user:hunter2@db/tally'

  test('with a file of one host is warned of', () => {
    expect(warnings({})).toMatchObject([{ store: 'sqlite', queue: 'sqlite' }])
    expect(warnings({ REDIS_URL: 'redis:6379' })).toMatchObject([{ store: 'sqlite', queue: 'redis' }])
    expect(warnings({}, 'worker')).toMatchObject([{ queue: 'sqlite' }])
  })

  test('with servers for its data is not warned of', () => {
    expect(warnings({ DATABASE_URL: postgres })).toEqual([])
    expect(warnings({ REDIS_URL: 'redis:6379' }, 'worker')).toEqual([])
    expect(warnings({ ENVIRONMENT: 'development' })).toEqual([])
  })

  test('with admin routes that are open to the network is warned of', () => {
    const open = { DATABASE_URL: postgres, METRICS_PORT: '9100' }
    expect(warnings(open)).toEqual([{ metrics_host: '0.0.0.0', metrics_port: 9100 }])
    expect(warnings({ ...open, METRICS_HOST: '10.0.0.7' }, 'server')).toHaveLength(1)
    expect(warnings({ ...open, METRICS_HOST: '127.0.0.1' })).toEqual([])
    expect(warnings({ ...open, HOST: '::1' })).toEqual([])
    expect(warnings({ ...open, ADMIN_TOKEN: 'a token for the operator' })).toEqual([])
    expect(warnings({ DATABASE_URL: postgres })).toEqual([])
    expect(warnings({ ...open, ENVIRONMENT: 'development' })).toEqual([])
  })

  test('never shows a value', () => {
    expect(JSON.stringify(warnings({ DATABASE_URI: postgres }))).not.toContain('hunter2')
  })
})

describe('a container without GRACE_PERIOD', () => {
  const warnings = (
    env: Record<string, string>,
    role: 'server' | 'worker' | 'supervisor',
    isContainer = true,
  ) => {
    const parsed = parseConfig(env)
    if (!parsed.ok) throw new Error(parsed.problems.join('; '))
    return findStartWarnings(env, parsed.config, role, isContainer)
  }

  test('is warned of, with a remedy, if a shutdown may take longer than Docker waits by default', () => {
    for (const role of ['server', 'supervisor'] as const)
      expect(warnings({}, role)).toMatchObject([
        {
          message: expect.stringContaining('stop timeout of this container is unknown'),
          fields: { budget_ms: 55_000, remedy: expect.stringContaining('--stop-timeout 60') },
        },
      ])
  })

  test('is not warned of if it is set, if a shutdown is short, for a worker, or outside containers', () => {
    expect(warnings({ GRACE_PERIOD: '60s' }, 'server')).toEqual([])
    expect(warnings({ DRAIN_MAX: '2s', SHUTDOWN_TIMEOUT: '3s' }, 'server')).toEqual([])
    expect(warnings({}, 'worker')).toEqual([])
    expect(warnings({}, 'server', false)).toEqual([])
  })
})
