import { hostname } from 'node:os'
import { z } from 'zod'

// Compiling pays only for a schema that is used often. This one is used once, those of requests rarely.
z.config({ jitless: true })

// ---- Kinds of values. Each base schema is shared: a start waits for every schema that is built. ----

const between = (min: number, max: number) => (value: number) => value >= min && value <= max

const wholeNumberText = z.string().regex(/^\d+$/, 'must be a whole number').transform(Number)

const wholeNumber = (min: number, max: number) =>
  wholeNumberText.refine(between(min, max), `must be between ${min} and ${max}`)

const integer = (min: number, max: number, fallback: number) =>
  wholeNumber(min, max).prefault(String(fallback))

const msPerUnit = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }
const toMs = (text: string): number =>
  Number.parseInt(text, 10) * msPerUnit[text.replace(/\d+/, '') as keyof typeof msPerUnit]

const durationText = z
  .string()
  .regex(/^\d+(ms|s|m|h)$/, 'must be a duration such as 500ms, 5s, 1m or 24h')
  .transform(toMs)

/** Milliseconds from `500ms`, `5s`, `1m`, `24h`. A timer longer than 596h would overflow and fire at once. */
const duration = (fallback: string, min = '0s', max = '596h') =>
  durationText.refine(between(toMs(min), toMs(max)), `must be between ${min} and ${max}`).prefault(fallback)

const bytesPerUnit = { '': 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 }
const toBytes = (text: string): number =>
  Number.parseInt(text, 10) * bytesPerUnit[text.replace(/\d+/, '') as keyof typeof bytesPerUnit]

/** Bytes from `1024`, `64KiB`, `32MiB`, `1GiB`. */
const size = z
  .string()
  .regex(/^\d+(KiB|MiB|GiB)?$/, 'must be a size such as 1048576, 512KiB or 32MiB')
  .transform(toBytes)
  .refine(between(1, Number.MAX_SAFE_INTEGER), 'must be between 1 and 8388607GiB')

const boolean = z.stringbool({ truthy: ['true', '1'], falsy: ['false', '0'], error: 'must be true or false' })

const lowerCase = z.string().toLowerCase()

const oneOf = <const T extends readonly [string, ...string[]]>(values: T, fallback: T[number]) =>
  lowerCase.pipe(z.enum(values, `must be one of ${values.join(', ')}`)).prefault(fallback)

/** A name that goes into a header, a label and a log line. */
const name = z.string().regex(/^[\w.:/-]{1,128}$/, 'must be 1 to 128 characters of A-Z a-z 0-9 _ . : / -')

const text = z.string()

/** The entries between commas, without surrounding white space. */
const list = text.transform((entries) => entries.split(',').map((entry) => entry.trim()))

/** A file that is not read here. */
const path = text

const secret = (minLength: number) => text.min(minLength, `must have at least ${minLength} characters`)

/** A token that clients send in the header `Authorization`: a token that no client can send would lock all clients out. */
const bearerToken = secret(16)
  .max(4_096, 'must have at most 4096 characters')
  .regex(/^[\x20-\x7e]*$/, 'must be of printable ASCII characters, because clients send it in a header')
  .regex(/^(?!bearer\s)/i, 'must be the token alone, without the word Bearer')

const isOfEmptyKey = (key: string): boolean =>
  key.toLowerCase().endsWith(new Bun.CryptoHasher('sha256').digest('hex'))

/** A URL with a host. A password may have special characters only in their escaped form. */
const isUrl = (value: string): boolean => URL.canParse(value)
const mustBeUrl = 'must be a URL; special characters of a password are escaped, such as %23 for #'

const isNetwork = (value: string): boolean =>
  z.union([z.cidrv4(), z.cidrv6(), z.ipv4(), z.ipv6()]).safeParse(value).success

/** An address, with or without a zone, or a host name. Digits and dots alone are an address, or a mistake. */
const isHost = (value: string): boolean =>
  z.union([z.ipv4(), z.ipv6()]).safeParse(value.replace(/%[\w.-]+$/, '')).success ||
  (/^[\w-]+(\.[\w-]+)*\.?$/.test(value) && !/^[\d.]+$/.test(value))

const host = text
  .transform((value) => value.replace(/^\[(.*)\]$/, '$1'))
  .refine(isHost, 'must be an IP address or a host name, without a port')

/** Whether browsers send an origin in just this form: in lower case, without a path and without a default port. */
const isOrigin = (value: string): boolean =>
  /^https?:\/\/[\w.:[\]-]+$/.test(value) && URL.parse(value)?.origin === value

/** The algorithms of signatures, by their names in lower case. */
const algorithms = new Map(
  ['HS', 'RS', 'PS', 'ES']
    .flatMap((kind) => [256, 384, 512].map((bits) => `${kind}${bits}`))
    .concat('EdDSA')
    .map((algorithm) => [algorithm.toLowerCase(), algorithm]),
)

/** The optional fields of access lines. */
const logFields = ['bytes', 'client_address', 'path', 'user_agent'] as const

// ---- The variables by subject. docs/configuration.md is generated from them: write for the operator. ----

const service = {
  PORT: integer(0, 65_535, 8000).describe('Port to listen on; `0` picks a free port'),
  HOST: host.prefault('0.0.0.0').describe('Address to listen on'),
  SERVICE_NAME: name
    .prefault('tally')
    .describe('Service name in logs, probes and the API document; alias `APP_NAME`'),
  SERVICE_VERSION: name
    .optional()
    .describe(
      'Version reported by `/version` (default: from git at the build, else the one in package.json)',
    ),
  SERVICE_REVISION: name
    .optional()
    .describe('Source revision reported by `/version` (default: from git at the build, else `unknown`)'),
  INSTANCE_NAME: name
    .prefault(hostname())
    .describe('Name of this instance in logs and in the `X-Served-By` header (default: the host name)'),
  ENVIRONMENT: name
    .toLowerCase()
    .prefault('development')
    .describe(
      'Deployment environment, logged at the start; alias `ENV`. `production` enables HSTS with TLS and requires a durable Redis (`REDIS_DURABLE`)',
    ),
  LOG_LEVEL: oneOf(['debug', 'info', 'warn', 'error'], 'info').describe(
    'Lowest level that is logged: `debug`, `info`, `warn` or `error`. Probes and scrapes are logged at `debug`',
  ),
  LOG_FORMAT: oneOf(['json', 'pretty'], 'json').describe(
    '`json` writes one object per line, `pretty` is for a terminal',
  ),
  ACCESS_LOG: boolean
    .prefault('true')
    .describe('Logs every request and every completed task at `info`; failures are logged in any case'),
  LOG_FIELDS: lowerCase
    .transform((list) => (list === '' ? [] : list.split(',').map((item) => item.trim())))
    .pipe(z.array(z.enum(logFields, `must be empty or a list of ${logFields.join(', ')}`)))
    .prefault('bytes')
    .describe(
      'Optional fields of access lines: `bytes` (of request and response), `client_address`, `path`, `user_agent`. All but `bytes` may identify a person',
    ),
  WEB_CONCURRENCY: integer(1, 64, 1).describe(
    'Server processes that share the port. With more than 1, a supervisor restarts those that exit or hang, and SIGHUP starts a rolling restart',
  ),
  HEARTBEAT_TIMEOUT: duration('15s', '1s').describe(
    'With `WEB_CONCURRENCY`: a server process that does not answer its supervisor for this long is killed and replaced',
  ),
}

const requests = {
  MAX_NUMBERS: integer(1, 10_000_000, 1_000_000).describe('Maximum count of numbers in a payload'),
  MAX_TEXT_LENGTH: integer(1, 100_000_000, 1_000_000).describe(
    'Maximum length of a text in characters (code points)',
  ),
  MAX_BODY_BYTES: size.prefault('32MiB').describe('Maximum size of a request body; larger ones get 413'),
  MAX_HELD_BYTES: size
    .prefault('256MiB')
    .describe(
      'Memory for large request bodies (256 KiB and more) while they are received, queued or analyzed; above it requests get 503. One body always fits',
    ),
  MAX_HELD_RESPONSE_BYTES: size
    .prefault('128MiB')
    .describe(
      'Memory for large responses (256 KiB and more) while their clients read them; above it requests get 503. One response always fits',
    ),
  ANALYSIS_THREADS: wholeNumber(1, 256)
    .optional()
    .describe(
      'Threads that analyze large payloads, for requests and tasks, and as many that check large documents (default: the cores per process of `WEB_CONCURRENCY`, minus one, at least 1)',
    ),
}

const storage = {
  DATABASE_URL: text
    .regex(/^(sqlite:.+|postgres(ql)?:\/\/.+)$/i, 'must begin with sqlite:, postgres:// or postgresql://')
    .refine((url) => !/^postgres/i.test(url) || isUrl(url), mustBeUrl)
    .optional()
    .describe(
      'Database for documents and, without `REDIS_URL`, tasks: `sqlite:path` or `postgres://…` (default: `tally.db` in `DATA_DIR`)',
    ),
  DATABASE_POOL_SIZE: integer(1, 1_000, 10).describe(
    'Connections to PostgreSQL per process, and one more where it listens for tasks. The sum over all processes must stay below the `max_connections` of the server',
  ),
  DATA_DIR: path.prefault('./data').describe('Directory for data files; alias `RUNS_DIR`'),
  DATA_SCHEMA: path
    .optional()
    .describe(
      'File with a JSON Schema (2020-12) that every document must satisfy, such as `docs/examples/item.schema.json`. Patterns need linear time: no lookaround, no back-references (default: any object)',
    ),
  // The store takes 64 Mi characters, and the id is added to what was sent.
  MAX_DOCUMENT_BYTES: size
    .refine(between(1, 63 * 2 ** 20), 'must be between 1 and 63MiB')
    .prefault('1MiB')
    .describe('Maximum size of a document, within `MAX_BODY_BYTES`; larger ones get 413'),
  READY_REQUIRES: lowerCase
    .transform((entries) => (entries === '' ? [] : entries.split(',').map((entry) => entry.trim())))
    .refine(
      (entries) => entries.every((entry) => ['store', 'queue'].includes(entry)),
      'must be empty or a list of store and queue',
    )
    .prefault('')
    .describe(
      'Dependencies that `/ready` requires: `store`, `queue` or `store,queue`. Empty by default, because `/payload` needs neither. The worker always requires the queue',
    ),
}

const tasks = {
  REDIS_URL: text
    .regex(/^(rediss?:\/\/.+|[\w.-]+(:\d+)?)$/i, 'must begin with redis:// or rediss://, or be host:port')
    .transform((url) =>
      url.includes('://') ? url.replace(/^\w+/, (it) => it.toLowerCase()) : `redis://${url}`,
    )
    .refine(isUrl, mustBeUrl)
    .optional()
    .describe(
      'Redis for the task queue: `redis://…` or `host:port`; alias `REDIS_ADDR` (default: the queue is in the database of `DATABASE_URL`)',
    ),
  REDIS_DURABLE: lowerCase
    .pipe(z.enum(['true', '1', 'false', '0', 'managed'], 'must be true, false or managed'))
    .transform((value) => (value === 'managed' ? value : ['true', '1'].includes(value)))
    .prefault('true')
    .describe(
      'With `ENVIRONMENT=production`, refuses to start on a Redis without AOF or with eviction; `managed`: the platform keeps what Redis has accepted, and only eviction is checked; `false` accepts that tasks are lost when Redis crashes',
    ),
  WORKER: oneOf(['embedded', 'off'], 'embedded').describe(
    '`embedded` runs tasks in the server; `off` leaves them to separate workers',
  ),
  WORKER_PORT: integer(0, 65_535, 8081).describe("Port of the worker's probes and metrics"),
  WORKER_CONCURRENCY: integer(1, 256, 4).describe('Tasks that one process runs at a time'),
  QUEUE_MAX: integer(1, 100_000_000, 100_000).describe(
    'Queue capacity in pending tasks; at capacity new tasks get 429',
  ),
  TASK_ATTEMPTS: integer(1, 100, 3).describe('Attempts before a task fails permanently'),
  TASK_TIMEOUT: duration('5m', '1ms').describe('Time limit of one attempt; a longer one fails'),
  TASK_LEASE: duration('15s', '1s').describe(
    'How long a worker holds a task without renewing its lease; after that another worker may claim it, such as when the first one crashed',
  ),
  TASK_TTL: duration('24h', '1s').describe('How long completed, failed and cancelled tasks are kept'),
}

const http = {
  VALIDATION_STATUS: oneOf(['400', '422'], '400')
    .transform((status) => (status === '422' ? 422 : 400))
    .describe('Status for an invalid request body: `400` or `422`'),
  REQUEST_TIMEOUT: duration('30s', '1ms').describe(
    'Time limit of a handler; a longer one gets 503. Must be below `IDLE_TIMEOUT`',
  ),
  // The server checks idle connections every 4 s, and its longest timeout is 255 s.
  IDLE_TIMEOUT: duration('120s', '8s', '255s').describe(
    "Closes a connection that is idle for this long, `8s` to `255s`; set it above the load balancer's own idle timeout",
  ),
}

const shutdown = {
  DRAIN_MIN: duration('0s').describe(
    'Minimum drain window after SIGTERM: the time that the platform needs to stop sending traffic (5s in the image)',
  ),
  DRAIN_QUIET: duration('5s').describe('Ends the drain window after this long without application requests'),
  DRAIN_MAX: duration('20s').describe('Maximum drain window'),
  SHUTDOWN_TIMEOUT: duration('30s').describe(
    'Time limit for requests in flight after the drain window; the rest is aborted, counted and logged',
  ),
  PRE_STOP: duration('0s').describe(
    'Delay of the platform before SIGTERM (Kubernetes `preStop`); only used to check `GRACE_PERIOD`',
  ),
  GRACE_PERIOD: duration('0s').describe(
    'Time that the platform allows from stop to kill. When set, the start logs a warning if a shutdown may take longer',
  ),
}

const management = {
  METRICS_PREFIX: text
    .regex(/^([a-zA-Z_][a-zA-Z0-9_]*)?$/, 'must be empty or a Prometheus name such as api_')
    .prefault('api_')
    .describe("Prefix of the names of the service's metrics; may be empty"),
  METRICS_PORT: wholeNumber(0, 65_535)
    .optional()
    .describe(
      'Separate port for `/metrics`, the admin routes and probes; `PORT` then serves no metrics and no admin routes. Clients must not reach it (default: none)',
    ),
  METRICS_HOST: host
    .optional()
    .describe(
      'Address that `METRICS_PORT` listens on, such as `127.0.0.1` or that of a management network (default: the value of `HOST`)',
    ),
  ADMIN_TOKEN: bearerToken
    .optional()
    .describe(
      'Bearer token for the admin routes. Without it and without `METRICS_PORT` there are no admin routes (default: none)',
    ),
  METRICS_TOKEN: bearerToken
    .optional()
    .describe('Bearer token for `/metrics` (default: none, `/metrics` is open)'),
}

/** The first parts of the paths of probes, metrics and admin routes, which exist without the base path as well. */
const ownPaths = new Set([
  'health',
  'healthz',
  'livez',
  'ready',
  'readyz',
  'version',
  'metrics',
  'admin',
  'debug',
  'tasks',
])
const mustNotBeOwnPath = 'must not begin like the path of a probe, of the metrics or of an admin route'

const network = {
  TLS_CERT: path
    .optional()
    .describe(
      'File with the certificate chain (PEM); `PORT` then serves TLS. Reloaded when it changes (default: plain HTTP)',
    ),
  TLS_KEY: path.optional().describe('File with the private key of `TLS_CERT` (PEM) (default: none)'),
  BASE_PATH: text
    .regex(/^(\/[\w.~-]+)+$/, 'must be a path such as /tally')
    .regex(/^(?!(.*\/)?\.\.?(\/|$))/, 'must not have the parts . and .., which clients and proxies remove')
    .refine((path) => !ownPaths.has(path.split('/')[1] ?? ''), mustNotBeOwnPath)
    .optional()
    .describe(
      'Path prefix that a load balancer does not strip, such as `/tally`. Probes, metrics and admin routes also answer without it (default: none)',
    ),
  CORS_ORIGIN: list
    .transform((origins) => (origins.length === 1 && origins[0] === '*' ? '*' : origins))
    .refine(
      (origins) => origins === '*' || origins.every(isOrigin),
      'must be * or a list of origins such as https://app.example, in lower case, without a path and a default port',
    )
    .optional()
    .describe(
      'Comma-separated origins whose pages may call the service, or `*` for all (default: none, only its own pages)',
    ),
  CORS_HEADERS: text
    .transform((list) => list.split(',').map((item) => item.trim()))
    .refine(
      (list) => list.every((item) => /^[\w!#$%&'*+.^`|~-]+$/.test(item)),
      'must be a list of header names such as X-Tenant,X-App',
    )
    .optional()
    .describe(
      'Comma-separated request headers that those pages may send, beyond those of the service and of common tracing libraries (default: none)',
    ),
  CONSOLE: boolean
    .prefault('true')
    .describe('Answers browsers on `/` with the console, a web page to use and to watch the service'),
  COMPRESSION: boolean
    .prefault('true')
    .describe('Compresses responses of 16 kB and more (zstd, gzip) for clients that accept it'),
  PAYLOAD_FAST_PATH: boolean
    .prefault('true')
    .describe(
      "Answers plain `POST /payload` requests without Hono's dispatch; `false` sends every request through the Hono app",
    ),
}

const load = {
  MAX_IN_FLIGHT: integer(1, 1_000_000, 1_000).describe(
    'Maximum requests in flight whose body has arrived; above it requests get 503 at once. As many bodies may be arriving; above that the slowest get 503. Probes and metrics are never shed',
  ),
  SHED_AFTER: duration('0s').describe(
    'Event-loop lag above which part of the requests is shed with 503, such as `200ms`; `0s` disables shedding',
  ),
  RATE_LIMIT: text
    .regex(/^\d+\/\d+[smh]$/, 'must be a rate such as 100/1s or 6000/1m')
    .transform((rate) => {
      const [quota = '', window = ''] = rate.split('/')
      return { quota: Number(quota), windowMs: toMs(window) }
    })
    .refine(({ quota }) => quota >= 1 && quota <= 1_000_000, 'must allow between 1 and 1000000 requests')
    .refine(
      ({ windowMs }) => windowMs >= toMs('1s') && windowMs <= toMs('24h'),
      'must have a window between 1s and 24h',
    )
    .optional()
    .describe(
      'Requests per key, token or (without either) address in a window, such as `100/1s`; above it requests get 429. Shared by all instances with `REDIS_URL`, otherwise per instance (default: no limit)',
    ),
  TRUSTED_PROXIES: list
    .refine((networks) => networks.every(isNetwork), 'must be a list of networks such as 10.0.0.0/8,fd00::/8')
    .optional()
    .describe(
      "Comma-separated CIDRs of proxies that may set the client address (default: none, the connection's address is used)",
    ),
  FORWARDED_HEADER: oneOf(['x-forwarded-for', 'forwarded'], 'x-forwarded-for').describe(
    'Header with the client address from trusted proxies: `x-forwarded-for` or `forwarded`. The proxies must set this one, or clients can forge it',
  ),
}

const access = {
  API_KEYS: list
    .refine(
      (keys) => keys.every((key) => /^[\w.-]{1,64}:[0-9a-fA-F]{64}$/.test(key)),
      'must be a list of name:sha256, each hash as 64 hexadecimal digits',
    )
    // A script hashed a variable that was not set: with it, an empty key would be valid.
    .refine((keys) => !keys.some(isOfEmptyKey), 'must not have the hash of an empty text')
    .transform((keys) => keys.join(','))
    .optional()
    .describe(
      'Comma-separated API keys for the application routes as `name:sha256`; `bun tools/api-key.ts NAME` creates one (default: none, the routes are open)',
    ),
  API_KEYS_FILE: path
    .optional()
    .describe('File with more API keys, one per line; reloaded when it changes (default: none)'),
  JWT_SECRET: secret(32)
    .optional()
    .describe('Shared secret of tokens (JWT) for the application routes (default: none)'),
  JWT_JWKS_URL: z
    .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
    .optional()
    .describe("URL of a token issuer's public keys (JWKS), instead of `JWT_SECRET` (default: none)"),
  JWT_ALGORITHMS: list
    .transform((names) => names.map((name) => algorithms.get(name.toLowerCase()) ?? ''))
    .refine((names) => !names.includes(''), 'must be a list of algorithms such as RS256,ES256')
    .optional()
    .describe(
      'Comma-separated signature algorithms that tokens may use (default: `HS256` with a secret, `RS256` with public keys)',
    ),
  JWT_ISSUER: text.optional().describe('Required `iss` claim (default: not checked)'),
  JWT_AUDIENCE: text.optional().describe('Required entry of the `aud` claim (default: not checked)'),
  JWT_SCOPE: text
    .regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, 'must be one scope')
    .optional()
    .describe('Required entry of the `scope` claim; without it requests get 403 (default: not checked)'),
  JWT_CLOCK_SKEW: duration('5s').describe("Tolerated difference from the issuer's clock"),
}

const operation = {
  CONFIG_FILE: path
    .optional()
    .describe(
      'JSON file with runtime settings (`log_level`, `faults`), such as a mounted ConfigMap; applied whenever it changes (default: none)',
    ),
  FILE_WATCH_INTERVAL: duration('2s', '10ms').describe(
    'How often `CONFIG_FILE`, `API_KEYS_FILE`, the files of tokens and the certificate are checked for changes',
  ),
  TRACING_ENABLED: boolean
    .prefault('false')
    .describe(
      'Exports traces over OTLP/HTTP to `OTEL_EXPORTER_OTLP_ENDPOINT`, or to `http://localhost:4318` when that is not set. `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` apply too. When it is enabled, an invalid `OTEL_*` variable is logged and ignored',
    ),
  OTEL_SDK_DISABLED: z
    .stringbool({ truthy: ['true'], falsy: ['false'], error: 'must be true or false' })
    .prefault('false')
    .describe('`true` turns tracing off and overrides `TRACING_ENABLED`'),
  OTEL_TRACES_EXPORTER: oneOf(['otlp', 'none'], 'otlp').describe(
    '`otlp` sends the traces, `none` turns tracing off',
  ),
  OTEL_EXPORTER_OTLP_HEADERS: text
    .optional()
    .describe('Headers of the export, such as `authorization=Bearer%20…` (default: none)'),
  OTEL_EXPORTER_OTLP_PROTOCOL: oneOf(['http/json'], 'http/json').describe(
    'Protocol of the export; no other is supported',
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
  ).describe('Sampler that selects the traces to export, by its OpenTelemetry name'),
  OTEL_TRACES_SAMPLER_ARG: text
    .transform(Number)
    .refine(between(0, 1), 'must be between 0 and 1')
    .prefault('1')
    .describe('Share of the traces to export with a `traceidratio` sampler, between 0 and 1'),
  OTEL_BSP_SCHEDULE_DELAY: integer(0, 2 ** 31 - 1, 5_000).describe(
    'Delay between two exports of spans, in ms',
  ),
  DEBUG_ROUTES: boolean
    .prefault('false')
    .describe(
      'Adds the routes `/debug/*`, behind the keys and the rate of the application routes, and the kind of tasks `demo`, for testing a platform; never use in production',
    ),
}

// ---- Secrets in files ----

/** Secrets, and URLs that contain one. Each may be in a file instead, which the variable with `_FILE` names. */
export const secretNames = [
  'DATABASE_URL',
  'REDIS_URL',
  'ADMIN_TOKEN',
  'METRICS_TOKEN',
  'JWT_SECRET',
  'OTEL_EXPORTER_OTLP_HEADERS',
] as const
export type SecretName = (typeof secretNames)[number]

type SecretFiles = { [Name in SecretName as `${Name}_FILE`]: z.ZodOptional<z.ZodString> }
const secretFiles = Object.fromEntries(
  secretNames.map((name) => [`${name}_FILE`, path.optional().describe(`File that contains \`${name}\``)]),
) as SecretFiles

/** The environment variables of the service, in the order of docs/configuration.md. */
export const environment = z.object({
  ...service,
  ...requests,
  ...storage,
  ...tasks,
  ...http,
  ...shutdown,
  ...management,
  ...network,
  ...load,
  ...access,
  ...operation,
  ...secretFiles,
})

/** The parsed environment. Times are in milliseconds, sizes in bytes. */
export type Config = z.output<typeof environment>

/** The programs that read a configuration. Some values contradict each other in one of them only. */
export type Program = 'server' | 'worker'

export type ConfigResult =
  | {
      readonly ok: true
      readonly config: Config
      /** The variables that are set but ignored, for the log. */
      readonly warnings: readonly string[]
    }
  | { readonly ok: false; readonly problems: readonly string[] }

// ---- Parsing ----

/** Variables with a meaning when they are empty. For all others an empty value means "not set". */
const mayBeEmpty = new Set(['LOG_FIELDS', 'METRICS_PREFIX', 'READY_REQUIRES'])

/** Other names of a variable. The variable's own name wins. */
const aliases: Readonly<Record<string, string>> = {
  DATA_DIR: 'RUNS_DIR',
  ENVIRONMENT: 'ENV',
  REDIS_URL: 'REDIS_ADDR',
  SERVICE_NAME: 'APP_NAME',
}

/** Shells read their settings from the file that a variable of the same name contains. */
const isShellFile = (alias: string | undefined, value: string | undefined): boolean =>
  alias === 'ENV' && /[/$~]/.test(value ?? '')

/** The name of every variable, and the other names. */
export const variableNames: readonly string[] = [...Object.keys(environment.shape), ...Object.values(aliases)]

/**
 * Parses the environment into a Config, or lists all problems together, each with the name of its variable. Values are
 * trimmed. Secrets in files are read. Unknown variables are ignored. Problems never repeat a value, because it may be a
 * secret.
 *
 * @param program whose configuration it is. Default: the server's
 * @example parseConfig({ PORT: '99999' }) // { ok: false, problems: ['PORT must be between 0 and 65535'] }
 */
export function parseConfig(
  env: Readonly<Record<string, string | undefined>>,
  program: Program = 'server',
): ConfigResult {
  const values = pickValues(env)
  const warnings = dropOpenTelemetry(values)
  const { problems, unread } = readSecretFiles(values)
  const result = environment.safeParse(values)
  if (result.success) {
    const all = [...problems, ...findConflicts(result.data, program, unread)]
    return all.length === 0 ? { ok: true, config: result.data, warnings } : { ok: false, problems: all }
  }
  // Valid values may still conflict with each other. Report that now and not at the next start.
  const invalid = new Set(result.error.issues.map(({ path }) => String(path[0])))
  const valid = Object.fromEntries(Object.entries(values).filter(([key]) => !invalid.has(key)))
  return {
    ok: false,
    problems: [
      ...problems,
      ...result.error.issues.map(
        ({ path, message }) => `${describeSource(path.join('.'), values)} ${message}`,
      ),
      ...findConflicts(environment.parse(valid), program, new Set([...invalid, ...unread])),
    ],
  }
}

/** The variables that are set, trimmed and under their own names. */
function pickValues(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const values: Record<string, string> = {}
  for (const key of Object.keys(environment.shape)) {
    const isSet = (value: string | undefined) => value !== undefined && (value !== '' || mayBeEmpty.has(key))
    const alias = aliases[key]
    const other = alias === undefined || isShellFile(alias, env[alias]) ? undefined : env[alias]
    const value = [env[key], other].map((each) => each?.trim()).find(isSet)
    if (value !== undefined) values[key] = value
  }
  return values
}

/**
 * Removes invalid variables of OpenTelemetry, and all of them where tracing is off. Its specification requires that ("generate a
 * warning and gracefully ignore the setting"), because they are often set for every program of a machine.
 *
 * @returns what was invalid
 */
function dropOpenTelemetry(values: Record<string, string>): string[] {
  const isOn = environment.shape.TRACING_ENABLED.safeParse(values.TRACING_ENABLED).data === true
  const warnings: string[] = []
  for (const [key, schema] of Object.entries(environment.shape)) {
    const value = values[key]
    if (!key.startsWith('OTEL_') || value === undefined) continue
    const result = schema.safeParse(value)
    if (isOn && result.success) continue
    delete values[key]
    if (isOn && !result.success) warnings.push(`${key} ${result.error.issues[0]?.message}; it is ignored`)
  }
  return warnings
}

/**
 * Reads secrets from their files and puts them into the values.
 *
 * @returns the problems, and the secrets that have one
 */
function readSecretFiles(values: Record<string, string>): { problems: string[]; unread: Set<string> } {
  const problems: string[] = []
  const unread = new Set<string>()
  for (const name of secretNames) {
    const file = values[`${name}_FILE`]
    if (file === undefined) continue
    const problem = readSecretFile(values, name, file)
    if (problem === undefined) continue
    problems.push(problem)
    unread.add(name)
  }
  return { problems, unread }
}

function readSecretFile(values: Record<string, string>, name: SecretName, file: string): string | undefined {
  if (values[name] !== undefined) return `${name} and ${name}_FILE must not be set together`
  try {
    // Loaded only here: node:fs would delay every start.
    const contents = process.getBuiltinModule('node:fs').readFileSync(file, 'utf8').trim()
    if (contents === '') return `${name}_FILE must name a file that is not empty`
    values[name] = contents
    return undefined
  } catch (error) {
    return `${name}_FILE must name a file that can be read (${(error as NodeJS.ErrnoException).code})`
  }
}

/** The name of a variable, and where its value came from if not from the environment. */
function describeSource(name: string, values: Readonly<Record<string, string>>): string {
  const isFromFile = secretNames.some((secret) => secret === name) && values[`${name}_FILE`] !== undefined
  return isFromFile ? `${name} (in the file of ${name}_FILE)` : name
}

/**
 * Parses the contents of a secret's file, as `parseConfig` does.
 *
 * @throws Error with what is wrong with it; the contents are never repeated
 */
export function parseSecret(name: SecretName, contents: string): string {
  const trimmed = contents.trim()
  const result = environment.shape[name].safeParse(trimmed)
  if (!result.success) throw new Error(`${name} ${result.error.issues[0]?.message}`)
  if (trimmed === '') throw new Error(`${name} must not be empty`)
  return result.data as string
}

// ---- Conflicts between variables ----

/** A rule about several variables. It applies only while each of them is valid. */
interface Rule {
  readonly variables: readonly (keyof Config)[]
  readonly holds: (config: Config) => boolean
  readonly problem: string
  /** The program that the rule is about. Default: every one. */
  readonly program?: Program
}

/** Whether the tasks are in a database that no other process sees. */
const hasPrivateQueue = ({ DATABASE_URL, REDIS_URL }: Config): boolean =>
  isInMemory(DATABASE_URL) && REDIS_URL === undefined
const isInMemory = (url: string | undefined): boolean => /^sqlite:(\/\/)?:memory:$/i.test(url ?? '')

const rules: readonly Rule[] = [
  {
    variables: ['REQUEST_TIMEOUT', 'IDLE_TIMEOUT'],
    holds: (config) => config.REQUEST_TIMEOUT < config.IDLE_TIMEOUT,
    problem: 'REQUEST_TIMEOUT must be below IDLE_TIMEOUT, or the connection closes before the 503 is sent',
  },
  {
    variables: ['METRICS_PORT', 'PORT'],
    holds: ({ METRICS_PORT, PORT }) =>
      METRICS_PORT === undefined || METRICS_PORT === 0 || METRICS_PORT !== PORT,
    problem: 'METRICS_PORT must differ from PORT',
  },
  {
    program: 'worker',
    variables: ['METRICS_PORT', 'WORKER_PORT'],
    holds: ({ METRICS_PORT, WORKER_PORT }) =>
      METRICS_PORT === undefined || METRICS_PORT === 0 || METRICS_PORT !== WORKER_PORT,
    problem: 'METRICS_PORT must differ from WORKER_PORT',
  },
  {
    variables: ['METRICS_HOST', 'METRICS_PORT'],
    holds: ({ METRICS_HOST, METRICS_PORT }) => METRICS_HOST === undefined || METRICS_PORT !== undefined,
    problem: 'METRICS_HOST needs METRICS_PORT, because metrics and admin routes are on PORT without it',
  },
  {
    program: 'server',
    variables: ['DATABASE_URL', 'WEB_CONCURRENCY'],
    holds: ({ DATABASE_URL, WEB_CONCURRENCY }) => WEB_CONCURRENCY === 1 || !isInMemory(DATABASE_URL),
    problem:
      'DATABASE_URL must not be sqlite::memory: with WEB_CONCURRENCY, each process would have its own documents',
  },
  {
    program: 'server',
    variables: ['DATABASE_URL', 'REDIS_URL', 'WORKER'],
    holds: (config) => config.WORKER === 'embedded' || !hasPrivateQueue(config),
    problem:
      'WORKER must not be off with sqlite::memory: and without REDIS_URL, no worker would see the tasks',
  },
  {
    program: 'worker',
    variables: ['DATABASE_URL', 'REDIS_URL'],
    holds: (config) => !hasPrivateQueue(config),
    problem:
      'DATABASE_URL must not be sqlite::memory: without REDIS_URL, the worker would see no task of a server',
  },
  {
    variables: ['TLS_CERT', 'TLS_KEY'],
    holds: ({ TLS_CERT, TLS_KEY }) => (TLS_CERT === undefined) === (TLS_KEY === undefined),
    problem: 'TLS_CERT and TLS_KEY must be set together',
  },
  ...tokenRules(),
  {
    variables: ['DRAIN_MIN', 'DRAIN_MAX'],
    holds: ({ DRAIN_MIN, DRAIN_MAX }) => DRAIN_MIN <= DRAIN_MAX,
    problem: 'DRAIN_MIN must not be above DRAIN_MAX',
  },
]

/**
 * A token's algorithm must fit the kind of its key: a public key accepted as a shared secret would let anyone sign
 * tokens. Public keys of an issuer verify tokens for other services too, so issuer and audience are required.
 */
function tokenRules(): Rule[] {
  const variables = ['JWT_SECRET', 'JWT_JWKS_URL', 'JWT_ALGORITHMS'] as const
  const isShared = (algorithm: string): boolean => algorithm.startsWith('HS')
  return [
    {
      variables,
      holds: ({ JWT_SECRET, JWT_JWKS_URL }) => JWT_SECRET === undefined || JWT_JWKS_URL === undefined,
      problem: 'JWT_SECRET and JWT_JWKS_URL must not be set together',
    },
    {
      variables,
      holds: ({ JWT_SECRET, JWT_ALGORITHMS = [] }) =>
        JWT_SECRET === undefined || JWT_ALGORITHMS.every(isShared),
      problem: 'JWT_ALGORITHMS must be of HS256, HS384 and HS512 with JWT_SECRET',
    },
    {
      variables,
      holds: ({ JWT_JWKS_URL, JWT_ALGORITHMS = [] }) =>
        JWT_JWKS_URL === undefined || !JWT_ALGORITHMS.some(isShared),
      problem: 'JWT_ALGORITHMS must not be of HS256, HS384 and HS512 with JWT_JWKS_URL: its keys are public',
    },
    {
      variables,
      holds: ({ JWT_JWKS_URL, JWT_ISSUER, JWT_AUDIENCE }) =>
        JWT_JWKS_URL === undefined || (JWT_ISSUER !== undefined && JWT_AUDIENCE !== undefined),
      problem:
        'JWT_ISSUER and JWT_AUDIENCE must be set with JWT_JWKS_URL: its keys sign tokens for others too',
    },
    {
      variables,
      holds: (config) =>
        config.JWT_SECRET !== undefined ||
        config.JWT_JWKS_URL !== undefined ||
        [config.JWT_ISSUER, config.JWT_AUDIENCE, config.JWT_SCOPE, config.JWT_ALGORITHMS].every(
          (value) => value === undefined,
        ),
      problem: 'JWT_ALGORITHMS, JWT_ISSUER, JWT_AUDIENCE and JWT_SCOPE need JWT_SECRET or JWT_JWKS_URL',
    },
  ]
}

/** The problems with values that are valid one by one. */
function findConflicts(config: Config, program: Program, invalid: ReadonlySet<string>): string[] {
  return rules
    .filter((rule) => rule.program === undefined || rule.program === program)
    .filter(({ variables, holds }) => !variables.some((name) => invalid.has(name)) && !holds(config))
    .map(({ problem }) => problem)
}
