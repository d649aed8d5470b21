import type { Config } from '../config.ts'
import { parseApiKeys } from '../http/middleware/api-keys.ts'
import { authentication } from '../http/middleware/auth.ts'
import { tokenGate } from '../http/middleware/bearer-token.ts'
import type { Gate, Gates } from '../http/middleware/check.ts'
import { ownPagesGate } from '../http/middleware/csrf.ts'
import { rateLimit } from '../http/middleware/rate-limit.ts'
import { strictTransport } from '../http/middleware/security-headers.ts'
import type { Security } from '../http/openapi/document.ts'
import type { Lifecycle } from '../lifecycle/index.ts'
import { createMemoryRateLimiter } from '../rate-limit/memory.ts'
import { createRedisRateLimiter } from '../rate-limit/redis.ts'
import type { Log } from '../telemetry/log/log.ts'
import type { Metrics } from '../telemetry/metrics/metrics.ts'
import { readTexts, watchFiles } from './watch-files.ts'

/**
 * What the configuration wants before the routes; nothing where it wants nothing. What is opened for it the lifecycle
 * closes.
 *
 * @throws when a file of keys cannot be read, or holds something else.
 */
export async function openGates(
  lifecycle: Lifecycle,
  config: Config,
  { log, metrics, peerOf, pollIntervalMs }: GateSources,
): Promise<Gates> {
  const hsts = config.TLS_CERT !== undefined && config.ENVIRONMENT === 'production' ? [strictTransport] : []
  const application = [
    ...hsts,
    await openAuthentication(lifecycle, config, log, pollIntervalMs),
    // Behind it, for who is known has a rate of their own, whatever address they share with others.
    await openRateLimit(lifecycle, config, metrics, peerOf),
  ]
  return {
    ...operationsGates(config),
    application: application.filter((gate) => gate !== undefined),
    page: hsts,
  }
}

/** What gates need of the process around them. */
export interface GateSources {
  readonly log: Log
  readonly metrics: Pick<Metrics, 'countRateLimitFailOpen'>
  /** The address that a request came from. */
  readonly peerOf: (request: Request) => string | undefined
  /** How often `API_KEYS_FILE` is checked for changes. Default: that of `watchFiles`. */
  readonly pollIntervalMs?: number | undefined
}

/** What stands before the routes of the platform, which a worker has too. */
export function operationsGates({ ADMIN_TOKEN, METRICS_TOKEN }: Config): Gates {
  return {
    ...(METRICS_TOKEN !== undefined && { metrics: [tokenGate(METRICS_TOKEN)] }),
    admin: [ownPagesGate, ...(ADMIN_TOKEN === undefined ? [] : [tokenGate(ADMIN_TOKEN)])],
  }
}

/** By what the routes are open, for the API document. */
export function securityOf(config: Config): Security {
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

async function openAuthentication(
  lifecycle: Lifecycle,
  config: Config,
  log: Log,
  pollIntervalMs: number | undefined,
): Promise<Gate | undefined> {
  if (!hasKeys(config) && !hasTokens(config)) return undefined
  return authentication({
    keys: hasKeys(config) ? await openApiKeys(lifecycle, config, log, pollIntervalMs) : undefined,
    verifyToken: hasTokens(config) ? await openTokens(lifecycle, config, log) : undefined,
    scope: config.JWT_SCOPE,
  })
}

/** The keys of both variables, those of the file as it is now. */
async function openApiKeys(
  lifecycle: Lifecycle,
  { API_KEYS = '', API_KEYS_FILE }: Config,
  log: Log,
  pollIntervalMs: number | undefined,
) {
  const own = parseApiKeys(API_KEYS)
  if (API_KEYS_FILE === undefined) return () => own
  const texts = await readTexts([API_KEYS_FILE])
  let all = [...own, ...parseApiKeys(texts.join())]
  const stop = watchFiles(
    [API_KEYS_FILE],
    texts,
    (changed) => {
      all = [...own, ...parseApiKeys(changed.join())]
      log.info('API keys read again', { keys: all.length })
    },
    (error) => log.error('API keys cannot be read: those known before hold', { error }),
    pollIntervalMs,
  )
  lifecycle.onClose('API keys', async () => stop())
  return () => all
}

async function openRateLimit(
  lifecycle: Lifecycle,
  { RATE_LIMIT: rate, REDIS_URL: url, TRUSTED_PROXIES = [], FORWARDED_HEADER }: Config,
  metrics: Pick<Metrics, 'countRateLimitFailOpen'>,
  peerOf: (request: Request) => string | undefined,
): Promise<Gate | undefined> {
  if (rate === undefined) return undefined
  const limiter =
    url === undefined
      ? createMemoryRateLimiter(rate)
      : createRedisRateLimiter({ url, rate, onFailOpen: metrics.countRateUnchecked })
  lifecycle.onClose('rate limit', async () => limiter.close())
  // Loaded only here: node:net was 7 ms of a start.
  const { createClientAddress } = await import('../http/middleware/client-ip.ts')
  const clientAddress = createClientAddress(TRUSTED_PROXIES, FORWARDED_HEADER)
  return rateLimit(rate, limiter, (request) => clientAddress(request.headers, peerOf(request)))
}

/** Loaded only when there are tokens: jose takes 20 ms of a start. */
async function openTokens(lifecycle: Lifecycle, config: Config, log: Log) {
  const { createTokenVerifier, remoteKeys } = await import('../http/middleware/jwt.ts')
  const { JWT_SECRET, JWT_JWKS_URL, JWT_ALGORITHMS, JWT_ISSUER, JWT_AUDIENCE, JWT_CLOCK_SKEW } = config
  const options = {
    issuer: JWT_ISSUER,
    audience: JWT_AUDIENCE,
    clockSkewSeconds: JWT_CLOCK_SKEW / 1_000,
  }
  if (JWT_JWKS_URL === undefined) {
    const key = new TextEncoder().encode(JWT_SECRET)
    return createTokenVerifier({ ...options, key, algorithms: JWT_ALGORITHMS ?? ['HS256'] })
  }
  const keys = remoteKeys(new URL(JWT_JWKS_URL), (error) =>
    log.warn('the public keys of tokens cannot be fetched', { error }),
  )
  lifecycle.onClose('public keys', async () => keys.close())
  return createTokenVerifier({ ...options, key: keys.key, algorithms: JWT_ALGORITHMS ?? ['RS256'] })
}
