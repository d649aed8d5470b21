import type { Config } from '../config.ts'
import { parseApiKeys } from '../http/middleware/api-keys.ts'
import { auth } from '../http/middleware/auth.ts'
import type { Check } from '../http/middleware/check.ts'
import { faultInjection } from '../http/middleware/fault-injection.ts'
import { limitFailures, rateLimit } from '../http/middleware/rate-limit.ts'
import { strictTransport } from '../http/middleware/security-headers.ts'
import type { Security } from '../http/openapi/document.ts'
import { createDescribeRequest, type DescribeRequest } from '../http/request-details.ts'
import type { Lifecycle } from '../lifecycle/index.ts'
import { createMemoryRateLimiter } from '../rate-limit/memory.ts'
import type { Rate, RateLimiter } from '../rate-limit/rate.ts'
import { createRedisRateLimiter } from '../rate-limit/redis.ts'
import type { RuntimeSettings } from '../runtime-settings/runtime-settings.ts'
import type { Log } from '../telemetry/log/log.ts'
import { createFaultInjectionMetrics } from '../telemetry/metrics/fault-injection-metrics.ts'
import type { Metrics } from '../telemetry/metrics/metrics.ts'
import { createFailureReport } from './background-failures.ts'
import { followSecret } from './secrets.ts'
import { startStep } from './start-step.ts'
import { readTexts, watchFiles } from './watch-files.ts'

export interface ChecksOptions {
  readonly log: Log
  readonly metrics: Pick<Metrics, 'registry' | 'countRateLimitFailOpen'>
  readonly runtimeSettings: RuntimeSettings
  /** The address of the connection that a request arrived on. */
  readonly remoteAddress: (request: Request) => string | undefined
}

export interface RequestChecks {
  readonly applicationChecks: readonly Check[]
  readonly pageChecks: readonly Check[]
  /** Authentication alone: an open console polls all the time, and must work under any load. */
  readonly consoleChecks: readonly Check[]
}

/**
 * The configured checks, in order: HSTS, authentication, rate limit, fault injection. The lifecycle
 * closes what they open.
 *
 * @throws when a file of keys cannot be read or is invalid
 */
export async function openChecks(
  lifecycle: Lifecycle,
  config: Config,
  options: ChecksOptions,
): Promise<RequestChecks> {
  const [auth, limits] = await Promise.all([
    openAuth(lifecycle, config, options),
    openRateLimits(lifecycle, config, options),
  ])
  const hsts = config.TLS_CERT !== undefined && config.ENVIRONMENT === 'production' ? [strictTransport] : []
  const limitedAuth = auth.map((check) =>
    limits === undefined ? check : limitFailures(check, limits.application),
  )
  return {
    applicationChecks: [
      ...hsts,
      // After authentication: a known client has its own rate, even if it shares its address with others.
      ...limitedAuth,
      ...(limits === undefined ? [] : [limits.application]),
      ...openFaultInjection(config, options),
    ],
    pageChecks: limits === undefined ? hsts : [...hsts, limits.pages],
    consoleChecks: [...hsts, ...limitedAuth],
  }
}

/** Authentication and limits of the routes, for the OpenAPI document. */
export function describeSecurity(config: Config): Security {
  return {
    keys: hasKeys(config),
    tokens: hasTokens(config),
    metricsToken: config.METRICS_TOKEN !== undefined,
    adminToken: config.ADMIN_TOKEN !== undefined,
    rateLimit: config.RATE_LIMIT !== undefined,
  }
}

const hasKeys = ({ API_KEYS, API_KEYS_FILE }: Config): boolean =>
  API_KEYS !== undefined || API_KEYS_FILE !== undefined
const hasTokens = ({ JWT_SECRET, JWT_JWKS_URL }: Config): boolean =>
  JWT_SECRET !== undefined || JWT_JWKS_URL !== undefined

async function openAuth(lifecycle: Lifecycle, config: Config, options: ChecksOptions): Promise<Check[]> {
  if (!hasKeys(config) && !hasTokens(config)) return []
  return [
    auth({
      keys: hasKeys(config) ? await openApiKeys(lifecycle, config, options) : undefined,
      verifyToken: hasTokens(config) ? await openTokens(lifecycle, config, options) : undefined,
      scope: config.JWT_SCOPE,
    }),
  ]
}

/** The keys of `API_KEYS` and `API_KEYS_FILE`, following changes of the file. */
async function openApiKeys(
  lifecycle: Lifecycle,
  { API_KEYS = '', API_KEYS_FILE, FILE_WATCH_INTERVAL }: Config,
  { log }: ChecksOptions,
) {
  const own = parseApiKeys(API_KEYS)
  if (API_KEYS_FILE === undefined) return () => own
  const texts = await startStep('API_KEYS_FILE', () => readTexts([API_KEYS_FILE]))
  let all = [...own, ...(await startStep('API_KEYS_FILE', () => parseApiKeys(texts.join())))]
  const stop = watchFiles(
    [API_KEYS_FILE],
    texts,
    (changed) => {
      all = [...own, ...parseApiKeys(changed.join())]
      log.info('API keys reloaded', { keys: all.length })
    },
    (error) => log.error('API key reload failed, keeping the current keys', { error }),
    FILE_WATCH_INTERVAL,
  )
  lifecycle.onClose('API keys', async () => stop())
  return () => all
}

/** A limiter of one kind of requests. */
async function openRateLimits(
  lifecycle: Lifecycle,
  config: Config,
  { log, metrics, remoteAddress }: ChecksOptions,
): Promise<{ readonly application: Check; readonly pages: Check } | undefined> {
  const { RATE_LIMIT: rate, REDIS_URL: url } = config
  if (rate === undefined) return undefined
  const limiter =
    url === undefined ? createMemoryRateLimiter(rate) : openRedisRateLimiter(rate, url, log, metrics)
  lifecycle.onClose('rate limit', async () => limiter.close())
  const options = { rate, limiter, clientAddress: await openClientAddress(config, remoteAddress) }
  return { application: rateLimit(options), pages: rateLimit({ ...options, kind: 'page' }) }
}

function openRedisRateLimiter(
  rate: Rate,
  url: string,
  log: Log,
  metrics: ChecksOptions['metrics'],
): RateLimiter {
  const reportFailure = createFailureReport(log, 'rate limit not checked, requests pass')
  return createRedisRateLimiter({
    url,
    rate,
    onFailOpen(error) {
      metrics.countRateLimitFailOpen()
      if (error !== undefined) reportFailure(error)
    },
  })
}

type FindAddress = (request: Request) => string | undefined

/** Finds the address of a client, behind the proxies that are trusted. */
async function openClientAddress(
  { TRUSTED_PROXIES = [], FORWARDED_HEADER }: Config,
  remoteAddress: FindAddress,
): Promise<FindAddress> {
  // Loaded only here: node:net would lengthen every start.
  const { createClientAddress } = await import('../http/middleware/client-ip.ts')
  const find = createClientAddress(TRUSTED_PROXIES, FORWARDED_HEADER)
  return (request) => find(request.headers, remoteAddress(request))
}

/**
 * The optional fields of access lines, by `LOG_FIELDS`.
 *
 * @returns undefined without such fields
 */
export async function openDescribeRequest(
  config: Config,
  remoteAddress: FindAddress,
): Promise<DescribeRequest | undefined> {
  const fields = new Set(config.LOG_FIELDS)
  const path = fields.has('path')
  const userAgent = fields.has('user_agent')
  const hasAddress = fields.has('client_address')
  if (!path && !userAgent && !hasAddress) return undefined
  const clientAddress = hasAddress ? await openClientAddress(config, remoteAddress) : undefined
  return createDescribeRequest({ clientAddress, path, userAgent })
}

/** Exists only where an operator can set faults, so that other services have neither the metrics nor the cost. */
function openFaultInjection(config: Config, { metrics, runtimeSettings }: ChecksOptions): Check[] {
  const { METRICS_PORT, ADMIN_TOKEN, CONFIG_FILE, METRICS_PREFIX } = config
  if ([METRICS_PORT, ADMIN_TOKEN, CONFIG_FILE].every((setting) => setting === undefined)) return []
  const countFault = createFaultInjectionMetrics(metrics.registry, METRICS_PREFIX, () => {
    const { error_rate, delay_rate, delay_ms, delay_jitter_ms } = runtimeSettings.current.faults
    return {
      errorRate: error_rate,
      delayRate: delay_rate,
      delaySeconds: (delay_ms + delay_jitter_ms) / 1_000,
    }
  })
  return [faultInjection(runtimeSettings, countFault)]
}

/** Loaded only when there are tokens: jose would lengthen every start. */
async function openTokens(lifecycle: Lifecycle, config: Config, { log }: ChecksOptions) {
  const { createTokenVerifier, fetchRemoteKeys } = await import('../http/middleware/jwt.ts')
  const { JWT_SECRET, JWT_JWKS_URL, JWT_ALGORITHMS, JWT_ISSUER, JWT_AUDIENCE, JWT_CLOCK_SKEW } = config
  const options = {
    issuer: JWT_ISSUER,
    audience: JWT_AUDIENCE,
    clockSkewSeconds: JWT_CLOCK_SKEW / 1_000,
  }
  if (JWT_JWKS_URL === undefined) {
    const createVerifier = (secret: string) =>
      createTokenVerifier({
        ...options,
        key: new TextEncoder().encode(secret),
        algorithms: JWT_ALGORITHMS ?? ['HS256'],
      })
    let verify = createVerifier(JWT_SECRET as string)
    // A new verifier also forgets the tokens that the former secret has verified.
    followSecret(lifecycle, config, log, 'JWT_SECRET', (secret) => {
      verify = createVerifier(secret)
    })
    return (token: string) => verify(token)
  }
  const keys = fetchRemoteKeys(new URL(JWT_JWKS_URL), (error) =>
    log.warn('fetching token keys failed', { error }),
  )
  lifecycle.onClose('public keys', async () => keys.close())
  return createTokenVerifier({ ...options, key: keys.key, algorithms: JWT_ALGORITHMS ?? ['RS256'] })
}
