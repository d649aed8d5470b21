import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  errors,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
  jwtVerify,
} from 'jose'

/** The subject of a token and what it may be used for. */
export interface TokenHolder {
  /** The `sub` claim. */
  readonly subject: string
  readonly scopes: ReadonlySet<string>
}

export type TokenResult =
  | { readonly ok: true; readonly holder: TokenHolder }
  | { readonly ok: false; readonly reason: 'invalid' | 'expired' }
  /** The token cannot be verified now, because the keys cannot be fetched. The error is for the log. */
  | { readonly ok: false; readonly reason: 'unavailable'; readonly error?: unknown }

export interface JwtOptions {
  /** Verifies signatures. */
  readonly key: Uint8Array | JWTVerifyGetKey
  /** Accepted signature algorithms; the token has no say in this (RFC 8725 §3.1). */
  readonly algorithms: readonly string[]
  readonly issuer?: string | undefined
  readonly audience?: string | undefined
  /** Allowed difference between the clocks of issuer and service, in seconds. */
  readonly clockSkewSeconds: number
  /** Epoch milliseconds. Default Date.now. */
  readonly now?: () => number
}

/** The limit of OpenID Connect (Core 1.0 §2): a longer subject would only fill logs and tables. */
const maxSubjectLength = 255

/** Verified tokens kept in memory: verifying a signature is expensive, and clients reuse their tokens. */
const maxCachedTokens = 1_000
/** How long a verified token is valid without verifying it again, in ms. */
const cacheMs = 60_000

/**
 * Makes the function that verifies tokens (RFC 7519): signature, `exp`, `nbf`, `sub`, and issuer and audience when set. It
 * answers at once for a token that it verified recently.
 */
export function createTokenVerifier(
  options: JwtOptions,
): (token: string) => TokenResult | Promise<TokenResult> {
  const { key, algorithms, issuer, audience, clockSkewSeconds, now = Date.now } = options
  const cache = new Map<string, { readonly result: TokenResult; readonly until: number }>()

  const store = (token: string, result: TokenResult, expiresAtMs: number): void => {
    const until = Math.min(expiresAtMs, now() + cacheMs)
    if (until <= now()) return
    const [oldest] = cache.keys()
    if (cache.size >= maxCachedTokens && oldest !== undefined) cache.delete(oldest)
    cache.set(token, { result, until })
  }

  const verify = async (token: string): Promise<TokenResult> => {
    try {
      const { payload } = await verifyWithAnyKey(token, typeof key === 'function' ? key : () => key, {
        algorithms: [...algorithms],
        requiredClaims: ['exp', 'sub'],
        clockTolerance: clockSkewSeconds,
        currentDate: new Date(now()),
        ...(issuer !== undefined && { issuer }),
        ...(audience !== undefined && { audience }),
      })
      const { sub: subject, exp, scope } = payload
      if (typeof subject !== 'string' || subject === '' || subject.length > maxSubjectLength)
        return { ok: false, reason: 'invalid' }
      const scopes = new Set(typeof scope === 'string' ? scope.split(' ') : [])
      const result: TokenResult = { ok: true, holder: { subject, scopes } }
      store(token, result, ((exp ?? 0) + clockSkewSeconds) * 1_000)
      return result
    } catch (error) {
      if (error instanceof errors.JWTExpired) return { ok: false, reason: 'expired' }
      return isInvalidToken(error)
        ? { ok: false, reason: 'invalid' }
        : { ok: false, reason: 'unavailable', error }
    }
  }

  return (token) => {
    const cached = cache.get(token)
    if (cached === undefined) return verify(token)
    if (now() < cached.until) return cached.result
    cache.delete(token)
    return verify(token)
  }
}

/** Verifies a token, with each key in turn when several may have signed it: a key id is optional (RFC 7515 §4.1.4). */
async function verifyWithAnyKey(token: string, key: JWTVerifyGetKey, options: JWTVerifyOptions) {
  try {
    return await jwtVerify(token, key, options)
  } catch (error) {
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error
    for await (const candidate of error) {
      try {
        return await jwtVerify(token, candidate, options)
      } catch (failure) {
        // The key is right: the token's other error decides.
        if (!(failure instanceof errors.JWSSignatureVerificationFailed)) throw failure
      }
    }
    throw new errors.JWSSignatureVerificationFailed()
  }
}

/** True for an invalid token, false when its key could not be fetched. */
function isInvalidToken(error: unknown): boolean {
  if (error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid) return false
  // jose throws the plain base class when the key server's response is not 200 or not JSON.
  return error instanceof errors.JOSEError && error.constructor !== errors.JOSEError
}

/** How often the keys are fetched, in ms. */
const refreshIntervalMs = 10 * 60_000
/** The shortest time between two fetches, in ms: tokens with unknown key ids must not become requests to the issuer. */
const minFetchIntervalMs = 5_000
/** The time limit of one fetch, in ms. */
const fetchTimeoutMs = 3_000

export interface RemoteKeys {
  readonly key: JWTVerifyGetKey
  close(): void
}

/**
 * Fetches public keys from a URL (RFC 7517): at once, every ten minutes, and for an unknown key, but at most every 30 s, or
 * every 5 s while that fails. While they cannot be fetched the last known ones stay valid: an outage of the issuer is not
 * ours.
 *
 * @param onFailure called when the keys cannot be fetched
 * @param now milliseconds of a monotonic clock
 */
export function fetchRemoteKeys(
  url: URL,
  onFailure: (error: unknown) => void,
  now: () => number = () => performance.now(),
): RemoteKeys {
  let nextFetchAt = Number.NEGATIVE_INFINITY
  const keys = createRemoteJWKSet(url, {
    timeoutDuration: fetchTimeoutMs,
    // Never stale by jose's clock: then every request would wait for the fetch.
    cacheMaxAge: Number.POSITIVE_INFINITY,
    // jose pauses only after a success; after a failure, each token with an unknown key would be a fetch.
    [customFetch]: async (href, options) => {
      if (now() < nextFetchAt) throw new Error('the keys were fetched a moment ago, without success')
      nextFetchAt = now() + minFetchIntervalMs
      return await fetch(href, options)
    },
  })
  const refresh = (): void => void keys.reload().catch(onFailure)
  refresh()
  const timer = setInterval(refresh, refreshIntervalMs)
  timer.unref()
  return { key: withNamelessKeys(keys), close: () => clearInterval(timer) }
}

/** Finds keys that have no id as well: a token that names one may still be signed by any of them. */
function withNamelessKeys(keys: ReturnType<typeof createRemoteJWKSet>): JWTVerifyGetKey {
  return async (header, token) => {
    try {
      return await keys(header, token)
    } catch (error) {
      const nameless = keys.jwks()?.keys.filter(({ kid }) => kid === undefined) ?? []
      if (header.kid === undefined || nameless.length === 0) throw error
      const { kid: _, ...unnamed } = header
      return await createLocalJWKSet({ keys: nameless })(unnamed)
    }
  }
}
