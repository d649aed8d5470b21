import { hostname } from 'node:os'
import { z } from 'zod'

// This schema is used once and those of requests seldom: zod's compiling of a schema costs more than it saves.
z.config({ jitless: true })

/** The longest a timer of this runtime can run, in ms: a longer one would fire at once. */
const timerMsMax = 2 ** 31 - 1

/**
 * What `read` makes of a text, or what it finds wrong with it. One function and not a chain of `string`, `regex`,
 * `transform` and `refine`, each link of which is one more schema: most variables are of these three kinds, and a start
 * waits for all of them. That it is a text need not be looked at: an environment has nothing else.
 */
const reading = <T>(read: (text: string) => T | Refusal) =>
  z.transform((text: string, context) => {
    const value = read(text)
    if (!(value instanceof Refusal)) return value
    context.addIssue(value.message)
    return z.NEVER
  })

class Refusal {
  constructor(readonly message: string) {}
}

/** Milliseconds from `500ms`, `5s`, `1m`, `24h`. */
const duration = (def: string) =>
  reading((text) => {
    const [, amount, unit] = /^(\d+)(ms|s|m|h)$/.exec(text) ?? []
    if (unit === undefined) return new Refusal('must be a duration such as 500ms, 5s, 1m or 24h')
    const ms = Number(amount) * { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }[unit as 'ms' | 's' | 'm' | 'h']
    return ms <= timerMsMax ? ms : new Refusal('must be at most 596h')
  }).prefault(def)

const wholeNumber = (minimum: number, maximum: number) =>
  reading((text) => {
    if (!/^\d+$/.test(text)) return new Refusal('must be a whole number')
    const number = Number(text)
    if (number < minimum) return new Refusal(`must be at least ${minimum}`)
    return number <= maximum ? number : new Refusal(`must be at most ${maximum}`)
  })

const integer = (minimum: number, maximum: number, def: number) =>
  wholeNumber(minimum, maximum).prefault(String(def))

/** Bytes from `1024`, `64KiB`, `32MiB`. */
const bytes = (def: string) =>
  reading((text) => {
    const [, amount, unit = 'B'] = /^(\d+)(KiB|MiB|GiB)?$/.exec(text) ?? []
    if (amount === undefined) return new Refusal('must be a size such as 1048576, 512KiB or 32MiB')
    const size = Number(amount) * { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 }[unit as 'B']
    if (size < 1) return new Refusal('must be at least 1')
    return size <= Number.MAX_SAFE_INTEGER ? size : new Refusal('is too large')
  }).prefault(def)

const flag = z
  .enum(['true', 'false', '1', '0'], 'must be true or false')
  .transform((text) => text === 'true' || text === '1')
  .prefault('false')

const oneOf = <const T extends readonly [string, ...string[]]>(values: T, def: T[number]) =>
  z.enum(values, `must be one of ${values.join(', ')}`).prefault(def)

/** What a name may hold that goes into a header, a label and a log line. */
const name = z.string().regex(/^[\w.:/-]{1,128}$/, 'must be 1 to 128 characters of A-Z a-z 0-9 _ . : / -')

/** A list of signature algorithms of RFC 7518 and RFC 8037. */
const algorithms = z
  .string()
  .regex(
    /^((HS|RS|PS|ES)(256|384|512)|EdDSA)(,((HS|RS|PS|ES)(256|384|512)|EdDSA))*$/,
    'must be a list of algorithms such as RS256,ES256',
  )
  .transform((text) => text.split(','))

/** A secret that is not to be guessed. */
const secret = (lengthMin: number) => z.string().min(lengthMin, `must have at least ${lengthMin} characters`)

/**
 * The environment, variable by variable. The reference table in the README is made from this schema:
 * a description is for somebody who runs the service.
 */
export const environment = z.object({
  PORT: integer(0, 65_535, 8000).describe('Port to listen on; 0 takes a free one'),
  HOST: z.string().min(1).prefault('0.0.0.0').describe('Address to listen on'),
  SERVICE_NAME: name.prefault('tally').describe('Name in logs, probes and documents'),
  SERVICE_VERSION: name.optional().describe("Version shown by `/version` (default: the package's own)"),
  SERVICE_REVISION: name
    .prefault('unknown')
    .describe('Source revision shown by `/version`; the image sets it'),
  INSTANCE_NAME: name
    .prefault(hostname())
    .describe("Name of this instance, answered in `X-Served-By` (default: the host's)"),
  ENVIRONMENT: name.prefault('development').describe('Where this runs, for logs'),
  LOG_LEVEL: oneOf(['debug', 'info', 'warn', 'error'], 'info').describe(
    'Least level that is written; probes and scrapes are at debug',
  ),
  LOG_FORMAT: oneOf(['json', 'pretty'], 'json').describe(
    'JSON, one object a line, or `pretty` for a terminal',
  ),
  ACCESS_LOG: flag.prefault('true').describe('One line a request at info'),
  WEB_CONCURRENCY: integer(1, 64, 1).describe(
    'Server processes on the port. With more than 1 a supervisor replaces those that die and rolls them on SIGHUP',
  ),
  MAX_NUMBERS: integer(1, 10_000_000, 1_000_000).describe('Most numbers in one payload'),
  MAX_TEXT_LENGTH: integer(1, 100_000_000, 1_000_000).describe('Most characters (code points) in one text'),
  MAX_BODY_BYTES: bytes('32MiB').describe('Largest request body; above it 413'),
  MAX_HELD_BYTES: bytes('256MiB').describe(
    'Bytes of large request bodies (from 256 KiB) that are received, waiting or analysed at a time, but always room for one; above it 503',
  ),
  ANALYSIS_THREADS: integer(1, 256, 1)
    .optional()
    .describe(
      'Threads that analyse what is large, for requests and tasks (default: the cores of one process of `WEB_CONCURRENCY`, but one; at least 1)',
    ),
  DATABASE_URL: z
    .string()
    .regex(/^(sqlite:.+|postgres(ql)?:\/\/.+)$/, 'must begin with sqlite:, postgres:// or postgresql://')
    .optional()
    .describe(
      'Where documents are kept: `sqlite:path` or `postgres://…` (default: `tally.db` in `DATA_DIR`)',
    ),
  DATA_DIR: z
    .string()
    .min(1)
    .prefault('./data')
    .describe('Directory for what is kept in files; alias `RUNS_DIR`'),
  DATA_SCHEMA: z
    .string()
    .optional()
    .describe(
      'File with a JSON Schema (2020-12) that every document must satisfy, such as `docs/examples/item.schema.json` (default: any object)',
    ),
  MAX_DOCUMENT_BYTES: bytes('1MiB').describe('Largest document; above it 413'),
  READY_REQUIRES: z
    .string()
    .regex(/^((store|queue)(,(store|queue))*)?$/, 'must be empty or a list of store and queue')
    .transform((text) => (text === '' ? [] : text.split(',')))
    .prefault('')
    .describe(
      'What must be reachable for `/ready` to say yes: `store`, `queue` or `store,queue`. Empty, for `/payload` needs neither. The worker always requires the queue',
    ),
  REDIS_URL: z
    .string()
    .regex(/^(rediss?:\/\/.+|[\w.-]+(:\d+)?)$/, 'must begin with redis:// or rediss://, or be host:port')
    .transform((text) => (text.includes('://') ? text : `redis://${text}`))
    .optional()
    .describe(
      'Where tasks are kept: `redis://…` or `host:port`; alias `REDIS_ADDR` (default: in the database of `DATABASE_URL`)',
    ),
  REDIS_DURABLE: flag
    .prefault('true')
    .describe(
      'With `ENVIRONMENT=production` a Redis without AOF is refused at the start; `false` accepts that a crash of Redis loses tasks',
    ),
  WORKER: oneOf(['embedded', 'off'], 'embedded').describe(
    'Whether the server runs tasks itself; `off` where worker processes do',
  ),
  WORKER_PORT: integer(0, 65_535, 8081).describe('Port of the worker process, for what the platform asks'),
  WORKER_CONCURRENCY: integer(1, 256, 4).describe('Tasks that one process runs at a time'),
  QUEUE_MAX: integer(1, 100_000_000, 100_000).describe('Tasks that may wait; above it 429'),
  TASK_ATTEMPTS: integer(1, 100, 3).describe('Runs of a task before it is failed'),
  TASK_TIMEOUT: duration('5m').describe('What one run of a task may take; then it counts as failed'),
  TASK_LEASE: duration('15s').describe(
    'How long a worker may be silent before its tasks are given to others; those of a worker that died run again after that',
  ),
  TASK_TTL: duration('24h').describe('How long an ended task is kept'),
  VALIDATION_STATUS: oneOf(['400', '422'], '400')
    .transform((text) => (text === '422' ? 422 : 400))
    .describe('Status for a body that is not what it should be'),
  REQUEST_TIMEOUT: duration('30s').describe(
    'What a handler may take; then 503. Keep it below `IDLE_TIMEOUT`',
  ),
  IDLE_TIMEOUT: duration('120s').describe(
    "How long a connection may be silent, up to 255s; above the balancer's own",
  ),
  DRAIN_MIN: duration('0s').describe(
    'Least time to serve after SIGTERM: what the platform needs to take the instance out (5s in the image)',
  ),
  DRAIN_QUIET: duration('5s').describe('The drain window ends when no application request came for so long'),
  DRAIN_MAX: duration('20s').describe('The drain window ends at the latest'),
  SHUTDOWN_TIMEOUT: duration('30s').describe(
    'What requests in flight may take after the drain window; then they are cut, counted and named',
  ),
  PRE_STOP: duration('0s').describe(
    "What the platform waits before SIGTERM (Kubernetes' preStop); only to check the budget",
  ),
  GRACE_PERIOD: duration('0s').describe(
    "The platform's time from stop to kill; when set, a shutdown budget above it is warned about at the start",
  ),
  METRICS_PREFIX: z
    .string()
    .regex(/^([a-zA-Z_][a-zA-Z0-9_]*)?$/, 'must be empty or a Prometheus name such as api_')
    .prefault('api_')
    .describe('Before the names of the metrics of this service; may be empty'),
  METRICS_PORT: wholeNumber(0, 65_535)
    .optional()
    .describe(
      'Port of its own for `/metrics` and the admin routes, which the other port then does not have; probes are answered there too. Keep it from clients',
    ),
  ADMIN_TOKEN: secret(16)
    .optional()
    .describe(
      'What an operator must send as a bearer to the admin routes. Without `METRICS_PORT` there are none unless it is set',
    ),
  METRICS_TOKEN: secret(16)
    .optional()
    .describe('What a scraper must send as a bearer to read `/metrics` (default: nothing)'),
  TLS_CERT: z
    .string()
    .optional()
    .describe(
      'File with a certificate and its chain (PEM): `PORT` then speaks TLS. Read again when it changes (default: plain HTTP)',
    ),
  TLS_KEY: z.string().optional().describe('File with its key (PEM) (default: none)'),
  BASE_PATH: z
    .string()
    .regex(/^(\/[\w.~-]+)+$/, 'must be a path such as /tally')
    .optional()
    .describe(
      'Before every path, for a balancer that passes one on; probes, metrics and admin routes answer without it, too (default: nothing)',
    ),
  CORS_ORIGIN: z
    .string()
    .regex(
      /^(\*|https?:\/\/[\w.:[\]-]+(,https?:\/\/[\w.:[\]-]+)*)$/,
      'must be * or a list of origins such as https://app.example',
    )
    .transform((text) => (text === '*' ? text : text.split(',')))
    .optional()
    .describe(
      'Origins whose pages may use the service, with commas between, or `*` for all (default: only its own)',
    ),
  COMPRESSION: flag
    .prefault('true')
    .describe('Whether answers of 16 kB and more are compressed (zstd, gzip) for clients that ask for it'),
  MAX_IN_FLIGHT: integer(1, 1_000_000, 1_000).describe(
    'Most requests that are answered at a time; above it 503 at once. Probes and metrics do not count',
  ),
  SHED_AFTER: duration('0s').describe(
    'How long the event loop may be behind before part of what comes is answered 503, such as `200ms`; `0s`: what comes is answered, however late',
  ),
  RATE_LIMIT: z
    .string()
    .regex(/^\d+\/\d+[smh]$/, 'must be a rate such as 100/1s or 6000/1m')
    .transform((text) => {
      const [, quota = '0', amount = '0', unit = 's'] = /^(\d+)\/(\d+)([smh])$/.exec(text) ?? []
      const windowMs = Number(amount) * { s: 1_000, m: 60_000, h: 3_600_000 }[unit as 's' | 'm' | 'h']
      return { quota: Number(quota), windowMs }
    })
    .refine(({ quota }) => quota >= 1 && quota <= 1_000_000, 'must allow 1 to 1000000 requests')
    .refine(({ windowMs }) => windowMs >= 1_000 && windowMs <= 86_400_000, 'must be for 1s to 24h')
    .optional()
    .describe(
      'Requests that one key, token or else address may send in a time, as `100/1s`; above it 429. Counted in `REDIS_URL` for all instances where there is one, else by each instance (default: no limit)',
    ),
  TRUSTED_PROXIES: z
    .string()
    .transform((text) => text.split(',').map((one) => one.trim()))
    .refine(
      (list) =>
        list.every((one) => z.union([z.cidrv4(), z.cidrv6(), z.ipv4(), z.ipv6()]).safeParse(one).success),
      'must be a list of networks such as 10.0.0.0/8,fd00::/8',
    )
    .optional()
    .describe(
      'Networks whose word about the address of a client is taken, with commas between (default: none, the address is that of the connection)',
    ),
  FORWARDED_HEADER: oneOf(['x-forwarded-for', 'forwarded'], 'x-forwarded-for').describe(
    'Where trusted proxies say it; they must write this one themselves, or a client can',
  ),
  API_KEYS: z
    .string()
    .regex(
      /^[\w.-]{1,64}:[0-9a-fA-F]{64}(,[\w.-]{1,64}:[0-9a-fA-F]{64})*$/,
      'must be a list of name:sha256, each hash as 64 hexadecimal digits',
    )
    .optional()
    .describe(
      'Who may use the application routes, as `name:sha256` with commas between; `bun tools/api-key.ts NAME` makes one (default: everybody)',
    ),
  API_KEYS_FILE: z
    .string()
    .optional()
    .describe('File with more of them, one a line; read again when it changes (default: none)'),
  JWT_SECRET: secret(32)
    .optional()
    .describe('Shared secret of tokens (JWT) that also open the application routes (default: none)'),
  JWT_JWKS_URL: z
    .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
    .optional()
    .describe('Where the public keys of an issuer of tokens are, instead of `JWT_SECRET` (default: none)'),
  JWT_ALGORITHMS: algorithms
    .optional()
    .describe(
      'Algorithms that a token may be signed with (default: `HS256` with a secret, `RS256` with public keys)',
    ),
  JWT_ISSUER: z.string().optional().describe('What `iss` must be (default: not looked at)'),
  JWT_AUDIENCE: z.string().optional().describe('What `aud` must hold (default: not looked at)'),
  JWT_SCOPE: z
    .string()
    .regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, 'must be one scope')
    .optional()
    .describe('What must be in `scope`, else 403 (default: nothing)'),
  JWT_CLOCK_SKEW: duration('5s').describe("How far the issuer's clock may differ"),
  CONFIG_FILE: z
    .string()
    .optional()
    .describe(
      'JSON file with what may change while the service runs (`log_level`, `faults`), read again when it changes, such as a mounted ConfigMap (default: none)',
    ),
  TRACING_ENABLED: flag.describe(
    'Sends traces over OTLP/HTTP. Where to is said by `OTEL_EXPORTER_OTLP_ENDPOINT` (default: `http://localhost:4318`), and `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` hold, too',
  ),
  OTEL_TRACES_SAMPLER: oneOf(
    [
      'always_on',
      'always_off',
      'traceidratio',
      'parentbased_always_on',
      'parentbased_always_off',
      'parentbased_traceidratio',
    ],
    'parentbased_always_on',
  ).describe('Which traces are sent'),
  OTEL_TRACES_SAMPLER_ARG: z
    .string()
    .regex(/^(0(\.\d+)?|1(\.0+)?)$/, 'must be a number from 0 to 1')
    .transform(Number)
    .prefault('1')
    .describe('The part of the traces, from 0 to 1, for a sampler by ratio'),
  OTEL_BSP_SCHEDULE_DELAY: integer(1, 60_000, 5_000).describe(
    'How long a span waits to be sent with others, in ms',
  ),
  DEBUG_ROUTES: flag.describe('Adds `/debug/*`, to try a platform with; never in production'),
})

/** What the environment says, parsed. Times are milliseconds. */
export type Config = z.output<typeof environment>

export type ConfigResult =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly problems: readonly string[] }

/** Variables for which an empty text says something; for all others it means "not set". */
const mayBeEmpty = new Set(['METRICS_PREFIX', 'READY_REQUIRES'])

/** Names that other services know a variable by; the variable's own name wins. */
const aliases: Readonly<Record<string, string>> = { DATA_DIR: 'RUNS_DIR', REDIS_URL: 'REDIS_ADDR' }

/**
 * Reads the environment into a Config, or lists every problem at once, each with the variable's name.
 * Variables that are not ours are left alone. Values are never repeated in a problem: one may be a secret.
 *
 * @example parseConfig({ PORT: 'http' }) // { ok: false, problems: ['PORT must be a whole number'] }
 */
export function parseConfig(env: Readonly<Record<string, string | undefined>>): ConfigResult {
  const given = Object.fromEntries(
    Object.keys(environment.shape)
      .map((key) => [key, [key, aliases[key] ?? key].find((one) => isSet(key, env[one]))] as const)
      .flatMap(([key, from]) => (from === undefined ? [] : [[key, env[from]]])),
  )
  const result = environment.safeParse(given)
  if (result.success) {
    const problems = contradictions(result.data)
    return problems.length === 0 ? { ok: true, config: result.data } : { ok: false, problems }
  }
  // What is right by itself may still contradict the rest: that too is told now and not at the next start.
  const wrong = new Set(result.error.issues.map(({ path }) => String(path[0])))
  const right = Object.fromEntries(Object.entries(given).filter(([key]) => !wrong.has(key)))
  return {
    ok: false,
    problems: [
      ...result.error.issues.map(({ path, message }) => `${path.join('.')} ${message}`),
      ...contradictions(environment.parse(right), wrong),
    ],
  }
}

function isSet(key: string, value: string | undefined): boolean {
  return value !== undefined && (value !== '' || mayBeEmpty.has(key))
}

type Expect = (holds: boolean, problem: string, ...names: (keyof Config)[]) => void

/** A token must be signed with what its key is for, and its issuer and audience be known where others sign too. */
function expectTokens(config: Config, expect: Expect): void {
  const { JWT_SECRET, JWT_JWKS_URL, JWT_ALGORITHMS = [], JWT_ISSUER, JWT_AUDIENCE } = config
  const shared = JWT_ALGORITHMS.filter((algorithm) => algorithm.startsWith('HS'))
  const names = ['JWT_SECRET', 'JWT_JWKS_URL', 'JWT_ALGORITHMS'] as const
  expect(
    JWT_SECRET === undefined || JWT_JWKS_URL === undefined,
    'JWT_SECRET and JWT_JWKS_URL exclude each other',
    ...names,
  )
  expect(
    JWT_SECRET === undefined || shared.length === JWT_ALGORITHMS.length,
    'JWT_ALGORITHMS must be of HS256, HS384 and HS512 with JWT_SECRET',
    ...names,
  )
  expect(
    JWT_JWKS_URL === undefined || shared.length === 0,
    'JWT_ALGORITHMS must not be of HS256, HS384 and HS512 with JWT_JWKS_URL: its keys are public',
    ...names,
  )
  expect(
    JWT_JWKS_URL === undefined || (JWT_ISSUER !== undefined && JWT_AUDIENCE !== undefined),
    'JWT_ISSUER and JWT_AUDIENCE must be set with JWT_JWKS_URL: its keys sign tokens for others, too',
    ...names,
  )
  expect(
    JWT_SECRET !== undefined ||
      JWT_JWKS_URL !== undefined ||
      [JWT_ISSUER, JWT_AUDIENCE, config.JWT_SCOPE, config.JWT_ALGORITHMS].every((one) => one === undefined),
    'JWT_ALGORITHMS, JWT_ISSUER, JWT_AUDIENCE and JWT_SCOPE need JWT_SECRET or JWT_JWKS_URL',
    ...names,
  )
}

/** What is wrong with values that are right one by one; nothing about those that are `wrong` anyway. */
function contradictions(config: Config, wrong: ReadonlySet<string> = new Set()): string[] {
  const problems: string[] = []
  const expect: Expect = (holds, problem, ...names) => {
    if (!holds && !names.some((name) => wrong.has(name))) problems.push(problem)
  }
  const { IDLE_TIMEOUT, REQUEST_TIMEOUT, DRAIN_MIN, DRAIN_MAX } = config
  expect(IDLE_TIMEOUT <= 255_000, 'IDLE_TIMEOUT must be at most 255s', 'IDLE_TIMEOUT')
  expect(
    IDLE_TIMEOUT >= 8_000,
    'IDLE_TIMEOUT must be at least 8s: the server looks every 4 s',
    'IDLE_TIMEOUT',
  )
  expect(REQUEST_TIMEOUT > 0, 'REQUEST_TIMEOUT must be at least 1ms', 'REQUEST_TIMEOUT')
  expect(
    REQUEST_TIMEOUT < IDLE_TIMEOUT,
    'REQUEST_TIMEOUT must be below IDLE_TIMEOUT, or the connection is cut before the 503',
    'REQUEST_TIMEOUT',
    'IDLE_TIMEOUT',
  )
  expect(config.TASK_TIMEOUT > 0, 'TASK_TIMEOUT must be at least 1ms', 'TASK_TIMEOUT')
  expect(config.TASK_LEASE >= 1_000, 'TASK_LEASE must be at least 1s', 'TASK_LEASE')
  expect(config.TASK_TTL >= 1_000, 'TASK_TTL must be at least 1s', 'TASK_TTL')
  expect(
    config.METRICS_PORT === undefined || config.METRICS_PORT === 0 || config.METRICS_PORT !== config.PORT,
    'METRICS_PORT must not be PORT',
    'METRICS_PORT',
    'PORT',
  )
  expect(
    (config.TLS_CERT === undefined) === (config.TLS_KEY === undefined),
    'TLS_CERT and TLS_KEY need each other',
    'TLS_CERT',
    'TLS_KEY',
  )
  expectTokens(config, expect)
  expect(DRAIN_MIN <= DRAIN_MAX, 'DRAIN_MIN must not be above DRAIN_MAX', 'DRAIN_MIN', 'DRAIN_MAX')
  return problems
}
