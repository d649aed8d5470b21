import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import { type Config, environment, parseConfig } from '../src/config.ts'

setDefaultTimeout(20_000)

function parse(env: Record<string, string | undefined>): Config {
  const result = parseConfig(env)
  if (!result.ok) throw new Error(result.problems.join('\n'))
  return result.config
}

function findProblems(env: Record<string, string>): readonly string[] {
  const result = parseConfig(env)
  return result.ok ? [] : result.problems
}

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
  })

  test('an empty value means not set', () => {
    const empty = Object.fromEntries(
      Object.keys(environment.shape)
        .filter((key) => key !== 'METRICS_PREFIX')
        .map((key) => [key, '']),
    )
    expect(parse(empty)).toEqual(parse({}))
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
        OTEL_TRACES_SAMPLER: 'Always_Off',
        READY_REQUIRES: ' Store, QUEUE ',
      }),
    ).toMatchObject({
      LOG_LEVEL: 'warn',
      LOG_FORMAT: 'pretty',
      WORKER: 'off',
      VALIDATION_STATUS: 422,
      FORWARDED_HEADER: 'x-forwarded-for',
      OTEL_TRACES_SAMPLER: 'always_off',
      READY_REQUIRES: ['store', 'queue'],
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
  })
})

describe('problems name the variable', () => {
  for (const [name, value, problem] of [
    ['PORT', 'http', 'must be a whole number'],
    ['PORT', '-1', 'must be a whole number'],
    ['PORT', '80.5', 'must be a whole number'],
    ['PORT', ' 80', 'must be a whole number'],
    ['PORT', '1e3', 'must be a whole number'],
    ['PORT', '65536', 'must be between 0 and 65535'],
    ['PORT', '9'.repeat(400), 'must be between 0 and 65535'],
    ['MAX_NUMBERS', '0', 'must be between 1 and 10000000'],
    ['MAX_BODY_BYTES', '0', 'must be between 1 and 8388607GiB'],
    ['MAX_BODY_BYTES', '32MB', 'must be a size such as 1048576, 512KiB or 32MiB'],
    ['MAX_BODY_BYTES', `${'9'.repeat(400)}GiB`, 'must be between 1 and 8388607GiB'],
    ['SHUTDOWN_TIMEOUT', '5', 'must be a duration such as 500ms, 5s, 1m or 24h'],
    ['SHUTDOWN_TIMEOUT', '-5s', 'must be a duration such as 500ms, 5s, 1m or 24h'],
    ['SHUTDOWN_TIMEOUT', '1.5s', 'must be a duration such as 500ms, 5s, 1m or 24h'],
    ['SHUTDOWN_TIMEOUT', '597h', 'must be between 0s and 596h'],
    ['LOG_LEVEL', 'loud', 'must be one of debug, info, warn, error'],
    ['LOG_LEVEL', ' ', 'must be one of debug, info, warn, error'],
    ['READY_REQUIRES', 'store,disk', 'must be empty or a list of store and queue'],
    ['READY_REQUIRES', 'store,', 'must be empty or a list of store and queue'],
    ['OTEL_TRACES_SAMPLER_ARG', '1.5', 'must be between 0 and 1'],
    ['JWT_SCOPE', 'two scopes', 'must be one scope'],
    ['LOG_FORMAT', 'xml', 'must be one of json, pretty'],
    ['DEBUG_ROUTES', 'yes', 'must be true or false'],
    ['VALIDATION_STATUS', '418', 'must be one of 400, 422'],
    ['METRICS_PREFIX', '9_', 'must be empty or a Prometheus name such as api_'],
    ['METRICS_PREFIX', 'a-b', 'must be empty or a Prometheus name such as api_'],
    ['INSTANCE_NAME', 'a\r\nX-Injected: b', 'must be 1 to 128 characters of A-Z a-z 0-9 _ . : / -'],
    ['INSTANCE_NAME', 'a\n', 'must be 1 to 128 characters of A-Z a-z 0-9 _ . : / -'],
    ['SERVICE_NAME', '"', 'must be 1 to 128 characters of A-Z a-z 0-9 _ . : / -'],
    ['SERVICE_NAME', 'x'.repeat(129), 'must be 1 to 128 characters of A-Z a-z 0-9 _ . : / -'],
    ['API_KEYS', 'tally_key', 'must be a list of name:sha256, each hash as 64 hexadecimal digits'],
    ['API_KEYS', `a:${'0'.repeat(63)}`, 'must be a list of name:sha256, each hash as 64 hexadecimal digits'],
    ['BASE_PATH', 'tally', 'must be a path such as /tally'],
    ['BASE_PATH', '/tally/', 'must be a path such as /tally'],
    ['BASE_PATH', '/', 'must be a path such as /tally'],
    ['CORS_ORIGIN', 'app.example', 'must be * or a list of origins such as https://app.example'],
    ['CORS_ORIGIN', 'https://app.example/', 'must be * or a list of origins such as https://app.example'],
    ['CORS_ORIGIN', 'https://app.example,*', 'must be * or a list of origins such as https://app.example'],
    ['CORS_ORIGIN', 'null', 'must be * or a list of origins such as https://app.example'],
    ['RATE_LIMIT', '100', 'must be a rate such as 100/1s or 6000/1m'],
    ['RATE_LIMIT', '0/1s', 'must allow between 1 and 1000000 requests'],
    ['RATE_LIMIT', '1/25h', 'must have a window between 1s and 24h'],
    ['TRUSTED_PROXIES', '10.0.0.0/33', 'must be a list of networks such as 10.0.0.0/8,fd00::/8'],
    ['TRUSTED_PROXIES', 'balancer', 'must be a list of networks such as 10.0.0.0/8,fd00::/8'],
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

describe.each(['main.ts', 'worker.ts'])('the program %s', (program) => {
  const path = new URL(`../src/${program}`, import.meta.url).pathname

  test('exits 78 with every problem on stderr and nothing on stdout', async () => {
    const child = Bun.spawn([process.execPath, path], {
      env: { PORT: 'http', LOG_LEVEL: 'loud', DATABASE_URL: 'mysql://user:hunter2@host/x', DRAIN_MIN: '1h' },
      stdout: 'pipe',
      stderr: 'pipe',
    })
    const stderr = await child.stderr.text()
    expect(await child.exited).toBe(78)
    expect(stderr).toStartWith('Invalid configuration:\n')
    for (const name of ['PORT', 'LOG_LEVEL', 'DATABASE_URL', 'DRAIN_MIN'])
      expect(stderr).toContain(`${name} must`)
    expect(stderr).not.toContain('hunter2')
    expect(await child.stdout.text()).toBe('')
  })
})
