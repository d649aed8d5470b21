import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Config, environment, type Program, parseConfig, secretNames } from '../src/config.ts'
import { createManagementApp } from '../src/http/app.ts'
import { adminDeps } from './support/admin-deps.ts'
import { appDeps } from './support/app-deps.ts'
import { runCommand } from './support/command.ts'

setDefaultTimeout(20_000)

function parse(env: Record<string, string | undefined>): Config {
  const result = parseConfig(env)
  if (!result.ok) throw new Error(result.problems.join('\n'))
  return result.config
}

function findProblems(env: Record<string, string>, program?: Program): readonly string[] {
  const result = parseConfig(env, program)
  return result.ok ? [] : result.problems
}

const origins =
  'must be * or a list of origins such as https://app.example, in lower case, without a path and a default port'

const issuer = { JWT_JWKS_URL: 'https://issuer.example/keys', JWT_ISSUER: 'issuer', JWT_AUDIENCE: 'tally' }

describe('defaults', () => {
  test('an empty environment gives a complete configuration', () => {
    expect(parse({})).toMatchObject({
      PORT: 8000,
      HOST: '0.0.0.0',
      SERVICE_NAME: 'tally',
      ENVIRONMENT: 'development',
      LOG_LEVEL: 'info',
      LOG_FORMAT: 'json',
      ACCESS_LOG: true,
      WEB_CONCURRENCY: 1,
      MAX_NUMBERS: 1_000_000,
      MAX_TEXT_LENGTH: 1_000_000,
      MAX_BODY_BYTES: 33_554_432,
      VALIDATION_STATUS: 400,
      REQUEST_TIMEOUT: 30_000,
      IDLE_TIMEOUT: 120_000,
      DRAIN_MIN: 0,
      SHUTDOWN_TIMEOUT: 30_000,
      METRICS_PREFIX: 'api_',
      PAYLOAD_FAST_PATH: true,
      DEBUG_ROUTES: false,
      DATA_DIR: './data',
    })
    expect(parse({}).INSTANCE_NAME).not.toBe('')
    // This default depends on the machine.
    expect(parse({}).ANALYSIS_THREADS).toBeUndefined()
  })

  test('an empty value means not set', () => {
    const empty = Object.fromEntries(
      Object.keys(environment.shape)
        .filter((key) => key !== 'METRICS_PREFIX' && key !== 'LOG_FIELDS')
        .map((key) => [key, '']),
    )
    expect(parse(empty)).toEqual(parse({}))
  })

  test('LOG_FIELDS is bytes, a list in any case, or empty for no field', () => {
    expect(parse({}).LOG_FIELDS).toEqual(['bytes'])
    expect(parse({ LOG_FIELDS: 'Path, user_agent' }).LOG_FIELDS).toEqual(['path', 'user_agent'])
    expect(parse({ LOG_FIELDS: '' }).LOG_FIELDS).toEqual([])
  })

  test('an empty METRICS_PREFIX means no prefix', () => {
    expect(parse({ METRICS_PREFIX: '' }).METRICS_PREFIX).toBe('')
  })

  test('ignores unknown variables', () => {
    const others = {
      PATH: '/bin',
      Port: 'x',
      TALLY_PORT: 'x',
      NODE_ENV: 'y',
      LD_PRELOAD: '',
      __proto__: 'z',
      toString: 'f',
    }
    expect(parse(others)).toEqual(parse({}))
  })

  test('every variable has a description', () => {
    for (const [name, schema] of Object.entries(environment.shape))
      expect({ name, described: (schema.description ?? '').length > 10 }).toEqual({ name, described: true })
  })
})

describe('valid values', () => {
  for (const [text, ms] of [
    ['1ms', 1],
    ['500ms', 500],
    ['5s', 5_000],
    ['1m', 60_000],
    ['2h', 7_200_000],
    ['0s', 0],
    ['596h', 2_145_600_000],
  ] as const) {
    test(`the duration ${text} is ${ms} ms`, () => {
      expect(parse({ SHUTDOWN_TIMEOUT: text }).SHUTDOWN_TIMEOUT).toBe(ms)
    })
  }

  for (const [text, bytes] of [
    ['1', 1],
    ['1048576', 1_048_576],
    ['64KiB', 65_536],
    ['32MiB', 33_554_432],
    ['1GiB', 1_073_741_824],
  ] as const) {
    test(`the size ${text} is ${bytes} bytes`, () => {
      expect(parse({ MAX_BODY_BYTES: text }).MAX_BODY_BYTES).toBe(bytes)
    })
  }

  for (const [text, value] of [
    ['true', true],
    ['1', true],
    ['TRUE', true],
    [' True\n', true],
    ['false', false],
    ['0', false],
    ['False ', false],
  ] as const) {
    test(`the boolean ${JSON.stringify(text)} is ${value}`, () => {
      expect(parse({ ACCESS_LOG: text, DEBUG_ROUTES: text })).toMatchObject({
        ACCESS_LOG: value,
        DEBUG_ROUTES: value,
      })
    })
  }

  test('enumerations ignore case and surrounding white space', () => {
    expect(
      parse({
        LOG_LEVEL: ' WARN ',
        LOG_FORMAT: 'Pretty\n',
        WORKER: 'OFF',
        VALIDATION_STATUS: ' 422',
        FORWARDED_HEADER: 'X-Forwarded-For',
        READY_REQUIRES: ' Store, QUEUE ',
      }),
    ).toMatchObject({
      LOG_LEVEL: 'warn',
      LOG_FORMAT: 'pretty',
      WORKER: 'off',
      VALIDATION_STATUS: 422,
      FORWARDED_HEADER: 'x-forwarded-for',
      READY_REQUIRES: ['store', 'queue'],
    })
  })

  test('every value is trimmed, and one of white space is not set', () => {
    expect(
      parse({
        PORT: ' 80\n',
        HOST: ' ::1 ',
        LOG_LEVEL: ' \n',
        METRICS_TOKEN: '0123456789abcdef\n',
        ADMIN_TOKEN: '0123456789abcdef\r\n',
        JWT_SECRET: `${'x'.repeat(32)}\n`,
        JWT_ISSUER: 'issuer\n',
        DATABASE_URL: ' sqlite:a.db\n',
        REDIS_URL: 'redis:6379\n',
        SHUTDOWN_TIMEOUT: ' 5s',
        METRICS_PREFIX: ' ',
      }),
    ).toMatchObject({
      PORT: 80,
      HOST: '::1',
      LOG_LEVEL: 'info',
      METRICS_TOKEN: '0123456789abcdef',
      ADMIN_TOKEN: '0123456789abcdef',
      JWT_SECRET: 'x'.repeat(32),
      JWT_ISSUER: 'issuer',
      DATABASE_URL: 'sqlite:a.db',
      REDIS_URL: 'redis://redis:6379',
      SHUTDOWN_TIMEOUT: 5_000,
      METRICS_PREFIX: '',
    })
  })

  test('entries of lists are trimmed', () => {
    const [one, two] = [`one:${'0'.repeat(64)}`, `two:${'1'.repeat(64)}`]
    expect(
      parse({
        API_KEYS: `${one}, ${two}`,
        CORS_ORIGIN: 'https://app.example , http://[::1]:3000,https://xn--bcher-kva.example',
        JWT_ALGORITHMS: 'rs256, eddsa',
        ...issuer,
      }),
    ).toMatchObject({
      API_KEYS: `${one},${two}`,
      CORS_ORIGIN: ['https://app.example', 'http://[::1]:3000', 'https://xn--bcher-kva.example'],
      JWT_ALGORITHMS: ['RS256', 'EdDSA'],
    })
  })

  test.each([
    ['::1', '::1'],
    ['[::1]', '::1'],
    ['::', '::'],
    ['fe80::1%eth0', 'fe80::1%eth0'],
    ['127.0.0.2', '127.0.0.2'],
    ['tally_1.internal', 'tally_1.internal'],
  ])('listens on the address %s', (text, host) => {
    expect(parse({ HOST: text }).HOST).toBe(host)
    expect(parse({ METRICS_PORT: '9100', METRICS_HOST: text }).METRICS_HOST).toBe(host)
  })

  test('ENVIRONMENT and the schemes of URLs ignore case', () => {
    expect(
      parse({ ENVIRONMENT: 'Production', REDIS_URL: 'REDISS://host', DATABASE_URL: 'POSTGRES://host/tally' }),
    ).toMatchObject({
      ENVIRONMENT: 'production',
      REDIS_URL: 'rediss://host',
      DATABASE_URL: 'POSTGRES://host/tally',
    })
  })

  test('READY_REQUIRES is empty or a list', () => {
    expect(parse({}).READY_REQUIRES).toEqual([])
    expect(parse({ READY_REQUIRES: '' }).READY_REQUIRES).toEqual([])
    expect(parse({ READY_REQUIRES: 'queue' }).READY_REQUIRES).toEqual(['queue'])
  })

  test('the limits of a range', () => {
    expect(parse({ PORT: '0' }).PORT).toBe(0)
    expect(parse({ PORT: '65535' }).PORT).toBe(65_535)
    expect(parse({ VALIDATION_STATUS: '422' }).VALIDATION_STATUS).toBe(422)
    expect(parse({ IDLE_TIMEOUT: '255s', REQUEST_TIMEOUT: '254s' }).IDLE_TIMEOUT).toBe(255_000)
    expect(parse({ DRAIN_MIN: '20s', DRAIN_MAX: '20s' }).DRAIN_MIN).toBe(20_000)
  })

  test('a rate and a list of networks', () => {
    expect(parse({ RATE_LIMIT: '6000/1m' }).RATE_LIMIT).toEqual({ quota: 6_000, windowMs: 60_000 })
    expect(parse({ TRUSTED_PROXIES: '10.0.0.0/8, ::1,fd00::/8,192.0.2.1' }).TRUSTED_PROXIES).toEqual([
      '10.0.0.0/8',
      '::1',
      'fd00::/8',
      '192.0.2.1',
    ])
  })

  test('an alias applies when the variable is not set; the variable wins', () => {
    expect(parse({ RUNS_DIR: '/runs' }).DATA_DIR).toBe('/runs')
    expect(parse({ RUNS_DIR: '/runs', DATA_DIR: '' }).DATA_DIR).toBe('/runs')
    expect(parse({ RUNS_DIR: '/runs', DATA_DIR: '/data' }).DATA_DIR).toBe('/data')
    expect(parse({ APP_NAME: 'runs' }).SERVICE_NAME).toBe('runs')
    expect(parse({ APP_NAME: 'runs', SERVICE_NAME: 'tally' }).SERVICE_NAME).toBe('tally')
    expect(parse({ ENV: 'Production' }).ENVIRONMENT).toBe('production')
    expect(parse({ ENV: 'staging', ENVIRONMENT: 'test' }).ENVIRONMENT).toBe('test')
  })

  test("a shell's ENV is no environment", () => {
    for (const file of ['/etc/profile', '$HOME/.kshrc', '~/.shrc'])
      expect(parse({ ENV: file }).ENVIRONMENT).toBe('development')
  })

  test('whether Redis has to keep tasks', () => {
    const values = ['true', '1', 'FALSE', '0', 'managed'].map((value) => parse({ REDIS_DURABLE: value }))
    expect(values.map(({ REDIS_DURABLE }) => REDIS_DURABLE)).toEqual([true, true, false, false, 'managed'])
    expect(parse({}).REDIS_DURABLE).toBe(true)
  })
})

describe('problems name the variable', () => {
  for (const [name, value, problem] of [
    ['PORT', 'http', 'must be a whole number'],
    ['PORT', '-1', 'must be a whole number'],
    ['PORT', '80.5', 'must be a whole number'],
    ['PORT', '8 0', 'must be a whole number'],
    ['METRICS_HOST', ':9100', 'must be an IP address or a host name, without a port'],
    ['DATABASE_POOL_SIZE', '0', 'must be between 1 and 1000'],
    ['HOST', 'localhost:8000', 'must be an IP address or a host name, without a port'],
    ['HOST', '256.0.0.1', 'must be an IP address or a host name, without a port'],
    ['HOST', 'http://localhost', 'must be an IP address or a host name, without a port'],
    ['HOST', '*', 'must be an IP address or a host name, without a port'],
    ['PORT', '1e3', 'must be a whole number'],
    ['PORT', '65536', 'must be between 0 and 65535'],
    ['PORT', '9'.repeat(400), 'must be between 0 and 65535'],
    ['MAX_NUMBERS', '0', 'must be between 1 and 10000000'],
    ['MAX_BODY_BYTES', '0', 'must be between 1 and 8388607GiB'],
    ['MAX_BODY_BYTES', '32MB', 'must be a size such as 1048576, 512KiB or 32MiB'],
    ['MAX_DOCUMENT_BYTES', '64MiB', 'must be between 1 and 63MiB'],
    ['MAX_BODY_BYTES', `${'9'.repeat(400)}GiB`, 'must be between 1 and 8388607GiB'],
    ['SHUTDOWN_TIMEOUT', '5', 'must be a duration such as 500ms, 5s, 1m or 24h'],
    ['SHUTDOWN_TIMEOUT', '-5s', 'must be a duration such as 500ms, 5s, 1m or 24h'],
    ['SHUTDOWN_TIMEOUT', '1.5s', 'must be a duration such as 500ms, 5s, 1m or 24h'],
    ['SHUTDOWN_TIMEOUT', '597h', 'must be between 0s and 596h'],
    ['LOG_LEVEL', 'loud', 'must be one of debug, info, warn, error'],
    ['READY_REQUIRES', 'store,disk', 'must be empty or a list of store and queue'],
    ['READY_REQUIRES', 'store,', 'must be empty or a list of store and queue'],
    ['JWT_SCOPE', 'two scopes', 'must be one scope'],
    ['LOG_FORMAT', 'xml', 'must be one of json, pretty'],
    ['DEBUG_ROUTES', 'yes', 'must be true or false'],
    ['REDIS_DURABLE', 'yes', 'must be true, false or managed'],
    ['VALIDATION_STATUS', '418', 'must be one of 400, 422'],
    ['METRICS_PREFIX', '9_', 'must be empty or a Prometheus name such as api_'],
    ['METRICS_PREFIX', 'a-b', 'must be empty or a Prometheus name such as api_'],
    ['INSTANCE_NAME', 'a\r\nX-Injected: b', 'must be 1 to 128 characters of A-Z a-z 0-9 _ . : / -'],
    ['INSTANCE_NAME', 'a\nb', 'must be 1 to 128 characters of A-Z a-z 0-9 _ . : / -'],
    ['SERVICE_NAME', '"', 'must be 1 to 128 characters of A-Z a-z 0-9 _ . : / -'],
    ['SERVICE_NAME', 'x'.repeat(129), 'must be 1 to 128 characters of A-Z a-z 0-9 _ . : / -'],
    ['API_KEYS', 'tally_key', 'must be a list of name:sha256, each hash as 64 hexadecimal digits'],
    ['API_KEYS', `a:${'0'.repeat(63)}`, 'must be a list of name:sha256, each hash as 64 hexadecimal digits'],
    [
      'API_KEYS',
      `a:${Bun.SHA256.hash('', 'hex')},b:${'0'.repeat(64)}`,
      'must not have the hash of an empty text',
    ],
    ['BASE_PATH', 'tally', 'must be a path such as /tally'],
    ['BASE_PATH', '/tally/', 'must be a path such as /tally'],
    ['BASE_PATH', '/', 'must be a path such as /tally'],
    ['BASE_PATH', '/..', 'must not have the parts . and .., which clients and proxies remove'],
    ['BASE_PATH', '/a/./b', 'must not have the parts . and .., which clients and proxies remove'],
    ['BASE_PATH', '/ready', 'must not begin like the path of a probe, of the metrics or of an admin route'],
    ['BASE_PATH', '/admin/x', 'must not begin like the path of a probe, of the metrics or of an admin route'],
    ['BASE_PATH', '/tasks', 'must not begin like the path of a probe, of the metrics or of an admin route'],
    ['CORS_ORIGIN', 'https://App.example', origins],
    ['CORS_ORIGIN', 'https://app.example:443', origins],
    ['CORS_ORIGIN', 'https://app.example:99999', origins],
    ['CORS_ORIGIN', 'https://app.example,', origins],
    ['CORS_ORIGIN', 'app.example', origins],
    ['CORS_ORIGIN', 'https://app.example/', origins],
    ['CORS_ORIGIN', 'https://app.example,*', origins],
    ['CORS_ORIGIN', 'null', origins],
    ['RATE_LIMIT', '100', 'must be a rate such as 100/1s or 6000/1m'],
    ['RATE_LIMIT', '0/1s', 'must allow between 1 and 1000000 requests'],
    ['RATE_LIMIT', '1/25h', 'must have a window between 1s and 24h'],
    ['TRUSTED_PROXIES', '10.0.0.0/33', 'must be a list of networks such as 10.0.0.0/8,fd00::/8'],
    ['TRUSTED_PROXIES', 'balancer', 'must be a list of networks such as 10.0.0.0/8,fd00::/8'],
    [
      'METRICS_TOKEN',
      'schlüssel-des-scrapers',
      'must be of printable ASCII characters, because clients send it in a header',
    ],
    [
      'ADMIN_TOKEN',
      'a token\nof two lines',
      'must be of printable ASCII characters, because clients send it in a header',
    ],
    ['ADMIN_TOKEN', 'Bearer 0123456789abcdef', 'must be the token alone, without the word Bearer'],
    ['ADMIN_TOKEN', 'x'.repeat(4_097), 'must have at most 4096 characters'],
    [
      'DATABASE_URL',
      'postgres://tally:p#ss@host/tally',
      'must be a URL; special characters of a password are escaped, such as %23 for #',
    ],
    [
      'REDIS_URL',
      'redis://:p#ss@host',
      'must be a URL; special characters of a password are escaped, such as %23 for #',
    ],
    ['METRICS_TOKEN', 'short', 'must have at least 16 characters'],
    ['JWT_SECRET', 'x'.repeat(31), 'must have at least 32 characters'],
    ['JWT_JWKS_URL', 'file:///etc/passwd', 'must be an http or https URL'],
    ['JWT_ALGORITHMS', 'none', 'must be a list of algorithms such as RS256,ES256'],
    ['IDLE_TIMEOUT', '7s', 'must be between 8s and 255s'],
    ['IDLE_TIMEOUT', '256s', 'must be between 8s and 255s'],
    ['REQUEST_TIMEOUT', '0s', 'must be between 1ms and 596h'],
    ['TASK_TIMEOUT', '0s', 'must be between 1ms and 596h'],
    ['TASK_LEASE', '999ms', 'must be between 1s and 596h'],
    ['TASK_TTL', '0s', 'must be between 1s and 596h'],
  ] as const) {
    test(`${name}=${value.slice(0, 20).replaceAll(/\s/g, ' ')} ${problem}`, () => {
      expect(findProblems({ [name]: value })).toEqual([`${name} ${problem}`])
    })
  }

  test('BASE_PATH must not hide a probe, the metrics or an admin route', () => {
    const { routes } = createManagementApp({ ...appDeps(), admin: adminDeps() })
    const parts = new Set(routes.map((route) => route.split(' ')[1]?.split('/')[1]))
    for (const part of ['*', '']) parts.delete(part)
    expect(parts.size).toBeGreaterThan(5)
    for (const part of parts) expect(findProblems({ BASE_PATH: `/${part}` })).toHaveLength(1)
    expect(findProblems({ BASE_PATH: '/tally/ready' })).toEqual([])
  })

  for (const [name, env, problem] of [
    [
      'a handler that may outlast its connection',
      { REQUEST_TIMEOUT: '60s', IDLE_TIMEOUT: '60s' },
      /^REQUEST_TIMEOUT must be below IDLE_TIMEOUT/,
    ],
    [
      'a maximum drain window below the minimum',
      { DRAIN_MIN: '30s', DRAIN_MAX: '20s' },
      /^DRAIN_MIN must not be above DRAIN_MAX/,
    ],
    [
      'one port for clients and operators',
      { PORT: '8000', METRICS_PORT: '8000' },
      /^METRICS_PORT must differ from PORT/,
    ],
    [
      'an address for a port that is not set',
      { METRICS_HOST: '127.0.0.1' },
      /^METRICS_HOST needs METRICS_PORT/,
    ],
    [
      'two kinds of keys for tokens',
      { ...issuer, JWT_SECRET: 'x'.repeat(32) },
      /^JWT_SECRET and JWT_JWKS_URL must not be set together/,
    ],
    [
      'public keys without the audience of this service',
      { JWT_JWKS_URL: issuer.JWT_JWKS_URL, JWT_ISSUER: issuer.JWT_ISSUER },
      /^JWT_ISSUER and JWT_AUDIENCE must be set/,
    ],
    [
      'a shared-secret algorithm with public keys',
      { ...issuer, JWT_ALGORITHMS: 'RS256,HS256' },
      /^JWT_ALGORITHMS must not be of HS256/,
    ],
    [
      'a public-key algorithm with a shared secret',
      { JWT_SECRET: 'x'.repeat(32), JWT_ALGORITHMS: 'RS256' },
      /^JWT_ALGORITHMS must be of HS256/,
    ],
    [
      'a certificate without its key',
      { TLS_CERT: '/tls/tls.crt' },
      /^TLS_CERT and TLS_KEY must be set together/,
    ],
    [
      'token claims without a key to verify tokens',
      { JWT_AUDIENCE: 'tally' },
      /need JWT_SECRET or JWT_JWKS_URL/,
    ],
  ] as const) {
    test(`conflict: ${name}`, () => {
      const problems = findProblems(env)
      expect(problems).toHaveLength(1)
      expect(problems[0]).toMatch(problem)
    })
  }

  for (const [name, program, env, problem] of [
    [
      'documents of one process each',
      'server',
      { DATABASE_URL: 'sqlite::memory:', WEB_CONCURRENCY: '2' },
      /^DATABASE_URL must not be sqlite::memory: with WEB_CONCURRENCY/,
    ],
    [
      'tasks that no worker can see',
      'server',
      { DATABASE_URL: 'sqlite://:memory:', WORKER: 'off' },
      /^WORKER must not be off with sqlite::memory:/,
    ],
    [
      'a worker of a queue that no server fills',
      'worker',
      { DATABASE_URL: 'sqlite::memory:' },
      /^DATABASE_URL must not be sqlite::memory: without REDIS_URL/,
    ],
    [
      'one port for probes and operators of the worker',
      'worker',
      { METRICS_PORT: '8081' },
      /^METRICS_PORT must differ from WORKER_PORT/,
    ],
  ] as const) {
    test(`conflict of the ${program} alone: ${name}`, () => {
      const other = program === 'server' ? 'worker' : 'server'
      expect(findProblems(env, program)).toEqual([expect.stringMatching(problem)])
      expect(findProblems(env, other).filter((each) => problem.test(each))).toEqual([])
    })
  }

  test('sqlite::memory: with REDIS_URL is for documents only', () => {
    const env = { DATABASE_URL: 'sqlite::memory:', REDIS_URL: 'redis:6379', WORKER: 'off' }
    expect(findProblems(env)).toEqual([])
    expect(findProblems(env, 'worker')).toEqual([])
  })

  test('reports all problems together, including conflicts between valid values', () => {
    const problems = findProblems({
      PORT: 'x',
      LOG_LEVEL: 'y',
      MAX_BODY_BYTES: 'z',
      DRAIN_MIN: '30s',
      DRAIN_MAX: '20s',
    })
    expect(problems.map((one) => one.split(' ')[0])).toEqual([
      'PORT',
      'LOG_LEVEL',
      'MAX_BODY_BYTES',
      'DRAIN_MIN',
    ])
  })

  test('reports no conflict with an invalid value', () => {
    expect(findProblems({ DRAIN_MIN: '30s', DRAIN_MAX: 'x' })).toEqual([
      'DRAIN_MAX must be a duration such as 500ms, 5s, 1m or 24h',
    ])
  })

  test('never repeats a value, which may be a secret in the wrong variable', () => {
    const secret = 'hunter2'
    for (const name of Object.keys(environment.shape))
      expect(findProblems({ [name]: `mysql://user:${secret}@host/\n` }).join('\n')).not.toContain(secret)
  })
})

describe('variables of OpenTelemetry, by its specification', () => {
  const invalid = {
    OTEL_TRACES_SAMPLER: 'xray',
    OTEL_TRACES_SAMPLER_ARG: '1.5',
    OTEL_BSP_SCHEDULE_DELAY: 'soon',
    OTEL_SDK_DISABLED: '1',
    OTEL_TRACES_EXPORTER: 'zipkin',
    OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
  }

  test('are ignored entirely while tracing is off', () => {
    expect(parseConfig(invalid)).toMatchObject({ ok: true, config: parse({}), warnings: [] })
    expect(parse({ OTEL_TRACES_SAMPLER: 'always_off' })).toEqual(parse({}))
  })

  test('are reported and ignored when they are invalid while tracing is on', () => {
    const result = parseConfig({ TRACING_ENABLED: 'True', ...invalid })
    expect(result).toMatchObject({ ok: true, config: { ...parse({}), TRACING_ENABLED: true } })
    const warnings = result.ok ? result.warnings : []
    expect(warnings.map((warning) => warning.split(' ')[0]).sort()).toEqual(Object.keys(invalid).sort())
    expect(warnings).toContain('OTEL_TRACES_SAMPLER_ARG must be between 0 and 1; it is ignored')
    expect(warnings.join()).not.toContain('xray')
  })

  test('are used when they are valid, in any case', () => {
    expect(
      parse({
        TRACING_ENABLED: '1',
        OTEL_SDK_DISABLED: 'TRUE',
        OTEL_TRACES_SAMPLER: 'TraceIdRatio',
        OTEL_TRACES_SAMPLER_ARG: '.25',
        OTEL_BSP_SCHEDULE_DELAY: '120000',
      }),
    ).toMatchObject({
      OTEL_SDK_DISABLED: true,
      OTEL_TRACES_SAMPLER: 'traceidratio',
      OTEL_TRACES_SAMPLER_ARG: 0.25,
      OTEL_BSP_SCHEDULE_DELAY: 120_000,
    })
  })
})

describe('secrets in files', () => {
  const values: Record<(typeof secretNames)[number], string> = {
    DATABASE_URL: 'postgres://tally:hunter2@host/tally',
    REDIS_URL: 'redis://:hunter2@host',
    ADMIN_TOKEN: 'hunter2 of the operator',
    METRICS_TOKEN: 'hunter2 of the scraper',
    JWT_SECRET: 'hunter2 of the issuer of the tokens',
    OTEL_EXPORTER_OTLP_HEADERS: 'authorization=hunter2',
  }
  let directory = ''
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tally-secrets-'))
  })
  afterAll(() => rm(directory, { recursive: true }))

  async function write(name: string, contents: string): Promise<string> {
    const file = join(directory, name)
    await Bun.write(file, contents)
    return file
  }

  test.each(secretNames)('%s may be in a file, with a line break at its end', async (name) => {
    const file = await write(name, `${values[name]}\n`)
    expect(parse({ TRACING_ENABLED: 'true', [`${name}_FILE`]: file })[name]).toBe(values[name])
  })

  test.each(secretNames)('%s must not be set twice', async (name) => {
    const file = await write(name, values[name])
    const env = { TRACING_ENABLED: 'true', [name]: values[name], [`${name}_FILE`]: file }
    expect(findProblems(env)).toEqual([`${name} and ${name}_FILE must not be set together`])
  })

  test('an alias counts as well', async () => {
    const file = await write('redis', 'host:6379')
    expect(findProblems({ REDIS_ADDR: 'host:6379', REDIS_URL_FILE: file })).toEqual([
      'REDIS_URL and REDIS_URL_FILE must not be set together',
    ])
  })

  test('a missing, an empty and an invalid file are refused, together with all else, without their contents', async () => {
    expect(
      findProblems({
        DATABASE_URL_FILE: await write('empty', ' \n'),
        METRICS_TOKEN_FILE: await write('short', 'hunter2\n'),
        JWT_SECRET_FILE: join(directory, 'missing'),
        JWT_AUDIENCE: 'tally',
        ADMIN_TOKEN_FILE: directory,
        PORT: 'http',
      }),
    ).toEqual([
      'DATABASE_URL_FILE must name a file that is not empty',
      'ADMIN_TOKEN_FILE must name a file that can be read (EISDIR)',
      'JWT_SECRET_FILE must name a file that can be read (ENOENT)',
      'PORT must be a whole number',
      'METRICS_TOKEN (in the file of METRICS_TOKEN_FILE) must have at least 16 characters',
    ])
  })
})

describe.each(['main.ts', 'worker.ts'])('the program %s', (program) => {
  const path = new URL(`../src/${program}`, import.meta.url).pathname

  test('exits 78 with every problem on stderr and nothing on stdout', async () => {
    const { exitCode, stdout, stderr } = await runCommand([process.execPath, path], {
      env: { PORT: 'http', LOG_LEVEL: 'loud', DATABASE_URL: 'mysql://user:hunter2@host/x', DRAIN_MIN: '1h' },
    })
    expect(exitCode).toBe(78)
    expect(stderr).toStartWith('Invalid configuration:\n')
    for (const name of ['PORT', 'LOG_LEVEL', 'DATABASE_URL', 'DRAIN_MIN'])
      expect(stderr).toContain(`${name} must`)
    expect(stderr).not.toContain('hunter2')
    expect(stdout).toBe('')
  })
})
